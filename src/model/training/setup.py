"""The beginning of a training: the network, its optimizer, the patches, and the name of its checkpoint."""

from pathlib import Path

from src.archive.project import Project
from src.data.crops.sampling import Patches
from src.data.store.store import IMAGES, INDEX, MASKS
from src.data.store.subsets import Subset
from src.model.network.device import Arithmetic, prepare_device
from src.model.network.supervision import supervised
from src.model.network.unet import build_unet
from src.model.training.adam import Adam
from src.model.training.available_memory import machine_bytes
from src.model.training.checkpoints import Checkpoint, key_of
from src.model.training.initial_weights import take_over
from src.model.training.state import Training
from src.model.training.workers import choose_workers
from src.params import Augment
from src.plan.memory import Settings, refuse_what_cannot_fit
from src.plan.plan import Plan


def set_up(
    trained: Subset,
    validated: Subset,
    plan: Plan,
    augment: Augment,
    *,
    seed: int,
    checkpoints: Path,
) -> tuple[Training, Patches]:
    """A training of a U-Net on the images of `trained` before its first step, and its patches, as planned.

    validated: the images that will measure it; seed: of everything drawn; checkpoints: folder in which a
    training of the same settings, code and data that was interrupted has left where it stood, and where this one will.
    `UserError` if its memory cannot suffice.
    """
    store = trained.store
    workers = choose_workers(plan.train.strategy)
    arithmetic = prepare_device(seed, plan.train.precision)
    if workers.replicas == 1 and not arithmetic.gpus:
        print(_memory(plan, arithmetic), flush=True)
    patches = Patches(trained, plan.data, augment, seed)
    with workers.strategy.scope():
        model = build_unet(plan.unet, store.channels, len(store.dataset.names))
        if plan.train.initial != "none":
            print(take_over(model, Path(plan.train.initial), store.dataset.names), flush=True)
        network = supervised(model, min(plan.train.supervision, plan.unet.depth - 1))
        adam = Adam(network.trainable_variables, arithmetic.scaled)
    settings = {
        "data": [
            plan.data.crop,
            plan.data.normalise,
            plan.data.oversample_rare,
            plan.data.resize,
            list(trained.indices),
            list(validated.indices),
        ],
        "augment": augment.model_dump(),
        "unet": plan.unet.model_dump(),
        "train": plan.train.model_dump(exclude={"memory_gib"})
        | {"precision": arithmetic.precision, "replicas": workers.replicas},
        "seed": seed,
    }
    initial = [Path(plan.train.initial)] if plan.train.initial != "none" else []
    key = key_of(settings, [*initial, *(store.folder / name for name in (INDEX, IMAGES, MASKS))])
    print(
        f"U-Net with {model.count_params():,} parameters, {arithmetic}, {workers}; rare: {patches.rare_names()}",
        flush=True,
    )
    checkpoint = Checkpoint(checkpoints / key)
    return Training(model, network, _project(patches, plan), adam, arithmetic, workers, checkpoint), patches


def _memory(plan: Plan, arithmetic: Arithmetic) -> str:
    """What the training needs, in words; `UserError` if that is not there."""
    sizes = {"filters": plan.unet.filters, "depth": plan.unet.depth, "crop": plan.data.crop, "batch": plan.train.batch}
    needs = Settings.of(plan.facts, **sizes, precision=arithmetic.precision)
    return refuse_what_cannot_fit(needs, machine_bytes(), plan.train.memory_gib)


def _project(patches: Patches, plan: Plan) -> Project:
    dataset = patches.store.dataset
    return Project(
        classes=dataset.names,
        background=dataset.background_index,
        values=list(dataset.classes),
        colors=dataset.class_colours,
        channels=plan.data.channels,
        mean=patches.normalisation.mean,
        std=patches.normalisation.std,
        normalise=plan.data.normalise,
        dtype=patches.store.dtype.name,
        resize=plan.data.resize,
        depth=plan.unet.depth,
        plan=dict(plan.choices),
    )
