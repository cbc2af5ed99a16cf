"""Rules of the section `data`: intensities, resolution, and which patches are drawn."""

import math

from src.data.crops.normalise import UNLIKE
from src.params import Encoder, Model
from src.plan.facts import Facts
from src.plan.rules.recipe import OrAuto, recipe

PART = 0.5  # of a patch's side: the patch shows parts of this size whole, with their surroundings
VISIBLE = 4  # pixels that the smallest parts must keep to be seen; for a strip, twice its width
WORTH = 0.75  # of the resolution: a smaller reduction is not worth the loss of detail
RESIZED = 2048  # pixels: largest shorter side that is chosen, since a scaled image lies in memory as a whole
EXPOSURE = 10.0  # see `exposure`; far more than in images of one kind of microscope, camera or satellite
RARE = 0.5  # share of patches that are centred on a rare class


def no_encoder_scaling(facts: Facts, model: Model) -> str:
    """Return why images cannot be scaled as the weights of an encoder expect; "" if they can.

    Args:
        facts: The facts of the training.
        model: The section `model`.
    """
    if model.encoder == "plain":
        return "the plain encoder has no such weights"
    return "images of float numbers have no fixed range" if facts.dtype == "float32" else ""


def normalise(facts: Facts, model: Model) -> tuple[str, str]:
    """Choose data.normalise: as the encoder's weights expect; else by image if exposures differ too much.

    The weights are those of the initial network if there is one. Those of model.weights are not used then. Weights of
    model.weights have seen photographs, so images that would be nearly black to them are standardised.

    Args:
        facts: The facts of the training.
        model: The section `model`.
    """
    pretrained = facts.initial.encoder_scaling if facts.initial else model.weights_file is not None
    dark = facts.initial is None and facts.used_range < 1 / UNLIKE
    if pretrained and not dark and not no_encoder_scaling(facts, model):
        return "encoder", f"as the weights of {model.encoder} expect"
    between = f"mean intensities differ between images by {facts.exposure:.1f} times what they differ within one"
    if facts.exposure > EXPOSURE:
        return "image", f"{between}: exposures cannot be compared"
    if pretrained and dark:
        used = f"images use about {100 * facts.used_range:.2g} % of the range of {facts.dtype}"
        return "dataset", f"{used}: scaled as the weights of {model.encoder} expect, they would be nearly black"
    return "dataset", between


def resize(facts: Facts, crop: OrAuto, encoder: Encoder) -> tuple[int, str]:
    """Choose data.resize: a shorter side at which a patch shows typical parts whole; 0 where it nearly does already.

    Typical are the parts of the class with the median size. If they would leave other parts fewer than `VISIBLE`
    pixels, the smallest parts decide.

    Args:
        facts: The facts of the training.
        crop: data.crop.
        encoder: model.encoder.
    """
    sizes = sorted((size, name) for name, size in facts.parts.items() if math.isfinite(size))
    if not sizes:
        return 0, "no class has a border in the masks"
    patch, multiple = recipe(encoder).crop if crop == "auto" else crop, 2 ** recipe(encoder).deepest

    def fitting_side(size: float) -> int:
        return max(round(patch * PART / size / multiple) * multiple, patch)

    (smallest, _), typical = sizes[0], sizes[len(sizes) // 2]
    size, name = typical if smallest * fitting_side(typical[0]) >= VISIBLE else sizes[0]
    pixels, wanted = round(size * facts.side), fitting_side(size)
    parts = f"parts of {name} are about {pixels} pixel{'' if pixels == 1 else 's'} wide"
    if wanted > facts.side * WORTH:
        return 0, parts
    if wanted > RESIZED:
        return 0, f"{parts}; set it by hand if images with a shorter side of {wanted} pixels fit into memory"
    return wanted, f"{parts}: at this size a patch shows them whole, with their surroundings"


def rare(facts: Facts) -> tuple[float, str]:
    """Choose data.oversample_rare: `RARE` if there is a rare class."""
    names = ", ".join(facts.rare)
    return (RARE, f"rare: {names}") if facts.rare else (0.0, "no class is rare: patches lie anywhere")
