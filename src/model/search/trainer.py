"""Train candidates of a search on this device, for real: short trainings from the same initial weights."""

import contextlib
import gc
import math
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence

import numpy as np
import tensorflow as tf

from src.data.crops.sampling import AHEAD
from src.data.store.subsample import subsample
from src.data.store.subsets import Subset
from src.errors import UserError
from src.evaluation.metrics.confusion import Scores, classes_present, confusion_matrix, dice, pixel_counts
from src.model.inference.predictor import Predictor
from src.model.network.device import is_out_of_memory
from src.model.network.encoders.pretrained import EncoderWeightsError
from src.model.search.networks import Networks, Ready, network_key
from src.model.training.diagnostics import TOO_LARGE
from src.model.training.schedule import planned_rate
from src.params import PlannedTrain
from src.plan.rules.training import warmup as warmup_rule
from src.search.candidate import Candidate
from src.search.space import Space
from src.search.trial import Cost, NotPossible, Trial

MEASURED = 1.0  # seconds for which steps are measured before a candidate is trained
MOST_MEASURED = 10_000  # steps
ENDLESS = {"steps": MOST_MEASURED}
SCORED = 3  # images whose scoring is timed before a candidate is trained
LATE = 1.25  # ratio of the time that a training would take to the time that it is given, from which it gets fewer steps
OUT_OF_MEMORY = "the device ran out of memory"
# No weight has changed yet, so the learning rate is not the cause.
NOT_FINITE = f"the loss became infinite in the first step: {TOO_LARGE}"


class DeviceTrainer:
    """The trainer of a search: see `Trainer` in src/search/trial.py.

    Every training of a candidate starts from the same weights and draws the same patches, so with the same number of
    steps it ends with the same scores.
    """

    def __init__(self, space: Space, trained: Subset, validated: Subset, tick: Callable[[], None]) -> None:
        """Prepare the trainer.

        Args:
            space: Makes the plans of the candidates.
            trained: The training images.
            validated: The validation images.
            tick: Called after each step and each scored image.
        """
        self.space, self.validated, self._tick = space, validated, tick
        self._networks = Networks(trained, validated, space.params.seed)
        self._ready, self._starts = dict[Candidate, Ready](), dict[tuple[str, int, int], float]()

    def prepare(self, candidate: Candidate) -> Cost:
        """Build a candidate and measure it, see `Trainer`."""
        with _refusing(self._forget):
            started = time.perf_counter()
            ready = self._ready_for(candidate)
            plan, images = ready.plan, self.validated.indices[:SCORED]
            predictor = ready.network.predictor_of(plan)
            steps = self._steps(ready, plan.train.model_copy(update=ENDLESS), MOST_MEASURED)
            next(steps)
            self._score(predictor, images[:1])
            shape = network_key(plan), plan.data.crop, plan.train.batch
            start = self._starts.setdefault(shape, time.perf_counter() - started)
            ready.network.traced.add(ready.shape)
            step = _mean_seconds(steps)
            started = time.perf_counter()
            self._score(predictor, images)
            return Cost(start, step, (time.perf_counter() - started) / len(images))

    def train(self, candidate: Candidate, given: float, steps: int, images: int) -> Trial:
        """Train a candidate and score it.

        Args:
            candidate: The candidate.
            given: Seconds for the steps.
            steps: The number of steps; fewer if the device has become much slower, so that the time is kept.
            images: The number of validation images to score.

        Raises:
            NotPossible: See `Trainer`.
        """
        with _refusing(self._forget):
            ready = self._ready_for(candidate)
            self._trace(ready)
            warmup = warmup_rule(steps)[0] if self.space.params.train.warmup == "auto" else ready.plan.train.warmup
            params = ready.plan.train.model_copy(update={"steps": steps, "epochs": 1, "warmup": warmup})
            started = time.perf_counter()
            losses = list(self._steps(ready, params, steps, given))
            steps, finite = len(losses), math.isfinite(losses[-1])
            step = (time.perf_counter() - started) / steps
            if not finite:
                return Trial(candidate, given, steps, step, 0.0, None)
            scored, started = subsample(self.validated, images), time.perf_counter()
            scores = self._score(ready.network.predictor_of(ready.plan), scored.indices)
            return Trial(candidate, given, steps, step, (time.perf_counter() - started) / len(scored), scores)

    def predictor(self, candidate: Candidate) -> Predictor:
        """Return the predictor of a candidate, with the weights that its last training ended with.

        It serves until the next training of the candidate.
        """
        ready = self._ready_for(candidate)
        return ready.network.predictor_of(ready.plan)

    def groups(self, images: int) -> Sequence[str]:
        """Return the groups of the scored images, see `Trainer`."""
        return subsample(self.validated, images).groups

    def keep(self, candidates: Iterable[Candidate]) -> None:
        """Free the memory of all other candidates, see `Trainer`."""
        self._ready = {each: self._ready[each] for each in candidates if each in self._ready}
        self._networks.keep([ready.plan for ready in self._ready.values()])
        gc.collect()

    def _ready_for(self, candidate: Candidate) -> Ready:
        if candidate not in self._ready:
            self._ready[candidate] = self._networks.ready(self.space.plan(candidate))
        return self._ready[candidate]

    def _trace(self, ready: Ready) -> None:
        """Build the graphs unless they exist: after an interruption, or if their network was dropped meanwhile.

        A training would otherwise spend the time for its steps on that, and take steps to be slower than they are.
        """
        if ready.shape not in ready.network.traced:
            with contextlib.closing(self._steps(ready, ready.plan.train, 1)) as steps:
                next(steps)
            self._score(ready.network.predictor_of(ready.plan), self.validated.indices[:1])
            ready.network.traced.add(ready.shape)

    def _forget(self) -> None:
        """After a failure, drop everything that may hold memory; what is needed again is built again."""
        self.keep([])

    def _steps(self, ready: Ready, params: PlannedTrain, steps: int, given: float = math.inf) -> Generator[float]:
        """Train from the initial weights, and yield the loss of every step; stops after one that is not finite."""
        ready.network.reset()
        part = ready.network.training.workers.part(params.batch)
        batches = ready.patches.batches(((1, number) for number in range(steps)), params.batch, part)
        started = time.perf_counter()
        with contextlib.closing(batches):
            for number, (images, masks) in enumerate(batches, 1):
                loss, _ = ready.network.step(images, masks, planned_rate(number - 1, params))
                self._tick()
                yield loss
                if not math.isfinite(loss) or number >= params.steps:
                    return
                each = (time.perf_counter() - started) / number
                if number > AHEAD and each * params.steps > LATE * given:
                    params = params.model_copy(update={"steps": max(int(given / each), number + 1)})

    def _score(self, predictor: Predictor, indices: Iterable[int]) -> Scores:
        """Dice of whole images at their own resolution, [images, foreground classes that the masks hold]."""
        store, counts = self.validated.store, []
        labels = predictor.outputs.labels
        for index in indices:
            mask, count = store.mask(index), np.zeros((labels.limit, labels.limit), np.int64)
            for window, logits in predictor.tiles(store.image(index)):
                count += confusion_matrix(mask[window], predictor.outputs.decide(logits), labels.limit)
            counts.append(count)
            store.release()
            self._tick()
        pixels = pixel_counts(np.stack(counts), labels)
        return dice(pixels)[:, classes_present(pixels.true, store.dataset.foreground)]


def _mean_seconds(steps: Generator[float]) -> float:
    """Seconds of a step; those whose batches were made while the graph was built are left out if they are fast."""
    times: list[float] = []
    started = time.perf_counter()
    for _ in steps:
        times.append(time.perf_counter() - started - sum(times))
        if sum(times) > MEASURED and len(times) > 1 and (len(times) > AHEAD or times[0] > MEASURED / AHEAD):
            break
    steps.close()
    if not times:
        raise NotPossible(NOT_FINITE)
    counted = times[AHEAD:] or times
    return sum(counted) / len(counted)


@contextlib.contextmanager
def _refusing(forget: Callable[[], None]) -> Iterator[None]:
    """Turn what a device says to a training that is too large into `NotPossible`."""
    try:
        yield
    except EncoderWeightsError:  # on any device
        raise
    except UserError as error:
        raise NotPossible(str(error)) from None
    except tf.errors.OpError as error:
        if not is_out_of_memory(error):
            raise
        forget()
        raise NotPossible(OUT_OF_MEMORY) from None
