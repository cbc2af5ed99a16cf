"""A training of some steps as a process of its own, for tests of what a process sets for good: devices, cluster.

python -m tests.small_training STORE CHECKPOINTS JSON [KEY=VALUE …]: settings by their names in params.yaml, and
devices=N for N logical processors; writes the history and the metrics to JSON, and the weights by path beside it.
"""

import json
import sys
from pathlib import Path

import numpy as np
import yaml

STEPS = 4  # an epoch
SMALL = {"data.crop": 16, "train.batch": 4, "train.lr": 0.01, "train.epochs": 3, "train.steps": 3 * STEPS}
SMALL |= {"model.filters": 4, "model.depth": 2, "train.precision": "float32"}


def small_params(**changes):
    """`changes` to `SMALL`; an epoch has `STEPS` steps, unless train.steps is among them."""
    from tests.conftest import changed_params

    chosen = SMALL | changes
    return changed_params(**(chosen | {"train.steps": STEPS * chosen["train.epochs"]} | changes))


def train_on(store, checkpoints: Path, params, follow=None):
    """A training as the stage does it, on the first eight images of the store; the last four measure it.

    follow: makes the observer from the training, the validation images and the settings.
    """
    from src.data.store.subsets import Subset
    from src.model.live.observer import Observer
    from src.model.training.loop import train_unet
    from src.model.training.setup import prepare_training
    from tests.conftest import planned

    trained, validated = Subset.ungrouped(store, range(8)), Subset.ungrouped(store, range(8, 12))
    plan = planned(params, trained, validated)
    training, patches = prepare_training(trained, validated, plan, seed=params.seed, checkpoints=checkpoints)
    with follow(training, validated, plan.train) if follow else Observer() as observer:
        train_unet(training, patches, validated, plan.train, observer)
    return training


def main(store: str, checkpoints: str, out: str, *settings: str) -> None:
    from src.data.store.store import Store
    from src.errors import UserError
    from src.model.network.import_tensorflow import import_tensorflow_quietly

    import_tensorflow_quietly()
    import tensorflow as tf

    changes = dict(_setting(text) for text in settings)
    devices = tf.config.list_physical_devices("CPU")
    parts = [tf.config.LogicalDeviceConfiguration()] * changes.pop("devices", 1)
    tf.config.set_logical_device_configuration(devices[0], parts)
    try:
        training = train_on(Store(Path(store)), Path(checkpoints), small_params(**changes))
    except UserError as error:
        sys.exit(str(error))
    np.savez(Path(out).with_suffix(".npz"), **{weight.path: weight.numpy() for weight in training.model.weights})
    Path(out).write_text(json.dumps({"history": training.history, "metrics": training.metrics({})}))


def _setting(text: str) -> tuple[str, object]:
    key, value = text.split("=", 1)
    return key, yaml.safe_load(value)


if __name__ == "__main__":
    main(*sys.argv[1:])
