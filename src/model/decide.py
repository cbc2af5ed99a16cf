"""Training's last step: how probabilities become classes, decided on the validation images alone."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from src.data.store import Store
from src.evaluation.absorb import absorbed
from src.evaluation.bootstrap import FEWEST_GROUPS
from src.evaluation.calibration import surprise
from src.evaluation.choice import Choice, Verdict, choose, unless_worse
from src.evaluation.confusion import Counts, Scores, confusion, dice, held, overlap
from src.model.infer import Logits, Predictor, classes_of
from src.params import Decide
from src.progress import progress

LEVELS = np.arange(1, 100) / 100
CUTS = np.log(LEVELS / (1 - LEVELS))  # thresholds that are tried, as logits
HALF = len(CUTS) // 2  # the place of 0.5
TEMPERATURES = 2 ** (np.arange(-60, 61) / 20)  # from an eighth to eight, in steps of 3.5 %
SIZES = (0, *(2**power for power in range(2, 11)))  # pixels of objects and holes
LARGEST_TIDIED = 2**24  # pixels of an image for which so many sizes can be tried in seconds
SAMPLED = 200_000  # pixels that the temperature is fitted to, as many of each image


@dataclass(frozen=True)
class Seen:
    """What one way to predict gives on the validation images.

    scores: Dice float64 [cuts, images, foreground classes], of one cut if there are more than two classes; logits:
    of the pixels sampled from each image, float32 [n, outputs], and their labels uint8 [n].
    """

    scores: Scores
    logits: list[Logits]
    labels: list[NDArray[np.uint8]]

    @property
    def plain(self) -> int:
        """The place among the cuts of the usual one."""
        return len(self.scores) // 2


def decide(
    predictor: Predictor,
    store: Store,
    validated: Sequence[int],
    groups: Sequence[str],
    tried: Decide,
    seed: int,
    *,
    flipped: bool = True,
) -> tuple[Predictor, dict[str, Verdict]]:
    """The predictor with what is kept of the decisions that `tried` asks for, and the verdict on each of them.

    validated: positions in the store; groups: the group of each. With too few groups there is no verdict on anything.
    Mirrored copies are averaged unless validation speaks against it, or training was not `flipped` both ways; all else
    is left out unless validation speaks for it.
    """
    group, verdicts = np.array(groups), dict[str, Verdict]()
    mirror = tried.mirror and flipped
    predictor = predictor.deciding(mirror=mirror)
    if len(set(groups)) < FEWEST_GROUPS:
        mirrored = "mirrored copies are averaged; " if mirror else ""
        print(f"{mirrored}nothing is decided on fewer than {FEWEST_GROUPS} groups of validation images")
        return predictor, verdicts

    def tell(name: str, choice: Choice | None, values: Sequence[float], default: int) -> float:
        if choice is None:
            print(
                f"{name}: not decided, since a class counts in fewer than {FEWEST_GROUPS} groups of validation images"
            )
            return values[default]
        value = values[choice.candidate]
        verdicts[name] = Verdict(value, choice)
        print(verdicts[name].words(name), flush=True)
        return value

    foreground = held(np.array([store.records[index].pixels for index in validated]), store.dataset.foreground)
    seen = look(predictor, store, validated, foreground, seed)
    if mirror:
        plain = look(predictor.deciding(mirror=False), store, validated, foreground, seed)
        before, after = plain.scores[plain.plain], seen.scores[seen.plain]
        if not tell("mirror", unless_worse(before, after, group, seed), (0, 1), 1):
            seen, predictor = plain, predictor.deciding(mirror=False)

    def judge(name: str, scores: Scores, values: Sequence[float], default: int) -> float:
        return tell(name, choose(scores, group, default, seed), values, default)

    if tried.temperature:
        sampled = list(zip(seen.logits, seen.labels, strict=True))
        likely = [[-surprise(*image, temperature) for image in sampled] for temperature in TEMPERATURES]
        scores = np.array(likely)[..., None]
        temperature = judge("temperature", scores, TEMPERATURES.tolist(), len(TEMPERATURES) // 2)
        predictor = predictor.deciding(temperature=temperature)
    if tried.threshold and len(seen.scores) > 1:
        kept, levels = thresholds(predictor.project.decisions.temperature)
        level = judge("threshold", seen.scores[kept], levels, len(levels) // 2)
        predictor = predictor.deciding(threshold=level)
    if max(store.mask(index).size for index in validated) > LARGEST_TIDIED:
        print(f"min_object, fill_holes: not tried, as an image has more than {LARGEST_TIDIED:,} pixels")
        return predictor, verdicts
    if tried.min_object:
        scores = try_sizes(predictor, store, validated, store.dataset.foreground, foreground, inside=False)
        predictor = predictor.deciding(min_object=judge("min_object", scores, SIZES, 0))
    background = store.dataset.background_index
    if tried.fill_holes and background is not None:
        scores = try_sizes(predictor, store, validated, [background], foreground, inside=True)
        predictor = predictor.deciding(fill_holes=judge("fill_holes", scores, SIZES, 0))
    return predictor, verdicts


def look(predictor: Predictor, store: Store, validated: Sequence[int], foreground: Sequence[int], seed: int) -> Seen:
    """One pass over the validation images; foreground: the classes that Dice is taken of."""
    rng, classes = np.random.default_rng(seed), len(store.dataset.names)
    scores, logits, labels = [], [], []
    cuts, each = CUTS if predictor.outputs == 1 else CUTS[HALF : HALF + 1], SAMPLED // len(validated)
    for index in _shown(validated, "mirrored" if predictor.project.decisions.mirror else "plain"):
        truth, parts = store.mask(index), []
        counts = np.zeros((len(cuts), classes, classes), np.int64)
        for window, part in predictor.tiles(store.image(index)):
            true = truth[window]
            counts += confusions_at(cuts, part, true, classes)
            places = rng.integers(true.size, size=-(-each * true.size // truth.size))
            places = places[true.ravel()[places] < classes]
            parts.append((part.reshape(true.size, -1)[places], true.ravel()[places]))
        scores.append(dice(overlap(counts))[:, foreground])
        logits.append(np.concatenate([part for part, _ in parts]))
        labels.append(np.concatenate([part for _, part in parts]))
        store.release()
    return Seen(np.stack(scores, axis=1), logits, labels)


def thresholds(temperature: float) -> tuple[NDArray[np.bool_], list[float]]:
    """The probabilities that the cuts are at this temperature, and which of them, [cuts], lie within `LEVELS`."""
    levels = 1 / (1 + np.exp(-CUTS / temperature))
    kept = (levels > LEVELS[0] - 1e-9) & (levels < LEVELS[-1] + 1e-9)
    return kept, levels[kept].tolist()


def confusions_at(cuts: NDArray[np.float64], logits: Logits, truth: NDArray[np.uint8], classes: int) -> Counts:
    """The confusion at each cut, int64 [cuts, classes, classes]; of more than two classes, of the likeliest alone."""
    if logits.shape[-1] > 1:
        return confusion(truth, classes_of(logits), classes)[None]
    counted = truth < 2
    below = np.searchsorted(cuts, logits[..., 0][counted])  # how many cuts a pixel is above
    pixels = np.bincount(2 * below + truth[counted], minlength=2 * len(cuts) + 2).reshape(-1, 2)
    negative = pixels.cumsum(axis=0)[:-1]
    return np.stack([negative, pixels.sum(axis=0) - negative], axis=-1)


def try_sizes(
    predictor: Predictor,
    store: Store,
    validated: Sequence[int],
    labels: Sequence[int],
    foreground: Sequence[int],
    *,
    inside: bool,
) -> Scores:
    """Dice float64 [SIZES, images, foreground classes] with parts of the classes in `labels` up to each size absorbed.

    foreground: the classes that Dice is taken of; inside: parts are holes.
    """
    classes, scores = len(store.dataset.names), []
    for index in _shown(validated, "holes" if inside else "small objects"):
        predicted, truth = predictor(store.image(index)), store.mask(index)
        ways = (absorbed(predicted, labels, size, inside=inside) if size else predicted for size in SIZES)
        counts = np.stack([confusion(truth, way, classes) for way in ways])
        scores.append(dice(overlap(counts))[:, foreground])
        store.release()
    return np.stack(scores, axis=1)


def _shown(validated: Sequence[int], what: str) -> Iterable[int]:
    return progress(validated, len(validated), f"decide, {what}")
