"""Search for settings on this device, with a journal from which an interrupted search goes on."""

from dataclasses import dataclass
from pathlib import Path

import tensorflow as tf

from src.data.store.store import INDEX
from src.data.store.subsets import Subset
from src.errors import UserError
from src.model.network.encoders.pretrained import read_encoder_weights
from src.model.search.trainer import DeviceTrainer
from src.model.training.checkpoints import ABANDONED, checkpoint_key
from src.progress import TimeProgress
from src.search.contest import Contest
from src.search.journal import Journal, delete_abandoned
from src.search.measured import Measured
from src.search.outcome import WRITTEN
from src.search.result import Budget, Result
from src.search.search import search
from src.search.space import ENCODER, Space
from src.search.timing import Timing
from src.trainings import trainings_folder

SHARE = 0.25  # largest share of the time that trials take
STOPPED = "stopped; params.yaml is as it was, and the same command continues the search after its last finished trial"


@dataclass(frozen=True)
class Request:
    """What a search may use.

    Attributes:
        minutes: The time for search and training together.
        started: When it began, by time.monotonic.
        folder: The folder of journals.
    """

    minutes: float
    started: float
    folder: Path


@dataclass(frozen=True)
class Found:
    """The end of a search.

    Attributes:
        result: What was chosen, and what was tried.
        timing: How long a training of it takes.
        minutes: The time that is left for this training.
        journal: Delete it when the result is written.
    """

    result: Result
    timing: Timing
    minutes: float
    journal: Journal


def searches_folder(root: Path) -> Path:
    """The folder of the journals of the repository at `root`."""
    return trainings_folder(root).parent / "search"


def run_search(space: Space, trained: Subset, validated: Subset, request: Request) -> Found:
    """Search with at most a quarter of the time.

    Args:
        space: All candidates.
        trained: The training images.
        validated: The validation images.
        request: What the search may use.

    Raises:
        UserError: The user stopped it, the device cannot carry what the rules choose, a file of weights is damaged, or
            every loss became infinite.
    """
    for file in _weights_files(space):
        read_encoder_weights(file)
    seconds = 60 * request.minutes
    budget = Budget(SHARE * seconds, (1 - SHARE) * seconds)
    path = request.folder / f"{_key(space, trained, validated, request.minutes)}.json"
    delete_abandoned(request.folder, ABANDONED, (path, request.folder / WRITTEN))
    journal = Journal(path, request.started)
    try:
        with TimeProgress("trying settings", budget.search, lambda: journal.now) as shown:
            if journal.known:
                shown.say(f"continuing an interrupted search after {journal.known} measurements")
            trainer = DeviceTrainer(space, trained, validated, shown.tick)
            result = search(Contest(space, Measured(trainer, journal), budget, shown.say))
    except KeyboardInterrupt:
        raise UserError(STOPPED) from None
    cost = result.cost
    timing = Timing(cost.start, cost.step, cost.image)
    return Found(result, timing, (seconds - journal.now) / 60, journal)


def _weights_files(space: Space) -> list[Path]:
    """The files of the initial weights of all encoders that may be tried."""
    if space.params.train.initial != "none":
        return []
    tried = space.encoders if ENCODER in space.searched else []
    models = [space.params.model.model_copy(update={"encoder": each}) for each in tried]
    return sorted(file for file in {model.weights_file for model in (space.params.model, *models)} if file)


def _key(space: Space, trained: Subset, validated: Subset, minutes: float) -> str:
    """Hash everything that the course of a search depends on, but for the speed of the device.

    The index of the store stands for its pixels, of which it holds means, class counts and thumbnails.
    """
    initial = space.params.train.initial
    files = _weights_files(space) if initial == "none" else [Path(initial)]
    devices = [device.device_type for device in tf.config.list_physical_devices()]
    settings = {
        "params": space.params.model_dump(exclude={"evaluate", "report", "split"}),
        "searched": [space.searched, space.encoders],
        "images": [list(trained.indices), list(validated.indices), list(validated.groups)],
        "budget": [minutes, devices],
    }
    return checkpoint_key(settings, [trained.store.folder / INDEX, *files])
