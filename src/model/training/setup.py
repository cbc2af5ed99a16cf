"""Prepare a training: the network, its optimiser, its patches and its checkpoint."""

import os
from pathlib import Path

import keras

from src.archive.project import Project
from src.data.classes.label_format import LabelFormat
from src.data.crops.sampling import Patches
from src.data.source.dataset import Dataset
from src.data.store.store import IMAGES, INDEX, MASKS
from src.data.store.subsets import Subset
from src.model.network.device import Arithmetic, prepare_device
from src.model.network.encoders.pretrained import encoder_layers, load_encoder_weights
from src.model.network.supervision import add_supervision
from src.model.network.unet import build_unet
from src.model.training.adam import Adam
from src.model.training.available_memory import available_bytes
from src.model.training.checkpoints import Checkpoint, checkpoint_key
from src.model.training.initial_weights import load_initial_weights
from src.model.training.state import Training
from src.model.training.workers import Workers, choose_workers
from src.plan.memory import TrainingSize, check_memory
from src.plan.plan import Plan

NOWHERE = Path(os.devnull)  # the checkpoint of a training that is never saved


def prepare_training(
    trained: Subset,
    validated: Subset,
    plan: Plan,
    *,
    seed: int,
    checkpoints: Path | None,
) -> tuple[Training, Patches]:
    """Prepare a training of a U-Net up to its first step.

    Args:
        trained: training images.
        validated: images that each epoch is measured on.
        plan: settings of the training.
        seed: of everything that is drawn.
        checkpoints: folder of all checkpoints. An interrupted training with the same settings, code and data has left
            its checkpoint there. None: the training is never saved, and the data are not hashed.

    Returns:
        The training, and its patches.

    Raises:
        UserError: the memory is too small, or the devices do not fit the settings.
    """
    store = trained.store
    workers = choose_workers(plan.train.strategy)
    arithmetic = prepare_device(seed, plan.train.precision)
    if workers.replicas == 1 and not arithmetic.gpus:
        print(check_plan_memory(plan, arithmetic), flush=True)
    patches = Patches(trained, plan.data, plan.augment, seed, encoder=plan.model.encoder)
    with workers.strategy.scope():
        model = build_unet(plan.model, store.channels, LabelFormat.of(store.dataset).outputs)
        pretrained = load_weights(model, plan, store.dataset)
        network = add_supervision(model, min(plan.train.supervision, plan.model.depth - 1))
        adam = Adam(
            network.trainable_variables, arithmetic.scales_loss, dict.fromkeys(pretrained, plan.train.encoder_rate)
        )
    settings = _checkpoint_settings(trained, validated, plan) | {"seed": seed}
    settings["train"] = _train_settings(plan, arithmetic, workers)
    started = Path(plan.train.initial) if plan.train.initial != "none" else plan.model.weights_file
    files = [*([started] if started else []), *(store.folder / name for name in (INDEX, IMAGES, MASKS))]
    key = checkpoint_key(settings, files) if checkpoints else ""
    network_words = f"U-Net with {plan.model.encoder} encoder and {model.count_params():,} parameters"
    print(f"{network_words}, {arithmetic}, {workers}; rare: {patches.rare_names()}", flush=True)
    checkpoint = Checkpoint(checkpoints / key if checkpoints else NOWHERE)
    return Training(model, network, _project(patches, plan), adam, arithmetic, workers, checkpoint, plan.loss), patches


def _checkpoint_settings(trained: Subset, validated: Subset, plan: Plan) -> dict[str, object]:
    data = plan.data
    indices = [list(trained.indices), list(validated.indices)]
    return {
        "data": [data.crop, data.normalise, data.oversample_rare, data.resize, *indices],
        "augment": plan.augment.model_dump(),
        "unet": plan.model.model_dump(),
    }


def _train_settings(plan: Plan, arithmetic: Arithmetic, workers: Workers) -> dict[str, object]:
    stated = plan.train.model_dump(exclude={"memory_gib", "tensorboard"})  # they change no result
    return stated | {"precision": arithmetic.precision, "replicas": workers.replicas}


def load_weights(model: keras.Model, plan: Plan, dataset: Dataset) -> list[str]:
    """Load the weights from which training starts, and say so.

    Args:
        model: the network, which is changed in place.
        plan: settings of the training.
        dataset: its classes.

    Returns:
        The paths of the encoder's weights that come from a file; none for the plain encoder.

    Raises:
        UserError: the file of the weights is not what it should be.
    """
    new: list[str] = []
    if plan.train.initial != "none":
        words, new = load_initial_weights(model, Path(plan.train.initial), dataset)
    elif plan.model.weights_file:
        words = load_encoder_weights(model, plan.model.weights_file)
    else:
        return []
    print(words, flush=True)
    encoder = [] if plan.model.encoder == "plain" else encoder_layers(model)
    return [weight.path for layer in encoder for weight in layer.trainable_weights if weight.path not in new]


def check_plan_memory(plan: Plan, arithmetic: Arithmetic) -> str:
    """State what memory a training needs.

    Args:
        plan: settings of the training.
        arithmetic: precision and devices.

    Raises:
        UserError: there is less memory.
    """
    needed = TrainingSize.of(
        plan.facts, plan.model, crop=plan.data.crop, batch=plan.train.batch, precision=arithmetic.precision
    )
    return check_memory(needed, available_bytes(), plan.train.memory_gib)


def _project(patches: Patches, plan: Plan) -> Project:
    dataset = patches.store.dataset
    return Project(
        classes=dataset.names,
        background=dataset.background_index,
        values=list(dataset.classes),
        colors=dataset.class_colours,
        channels=plan.data.channels,
        mean=patches.moments.mean,
        std=patches.moments.std,
        normalise=plan.data.normalise,
        dtype=patches.store.dtype_name,
        shorter_side=plan.data.resize,
        encoder=plan.model.encoder,
        depth=plan.model.depth,
        plan=dict(plan.choices),
        overlap=dataset.overlap,
    )
