"""Networks that were built for a search. Candidates that differ in other settings share a network and its graphs."""

import contextlib
import copy
import io
import json
from dataclasses import dataclass, field

from src.data.crops.sampling import Patches
from src.data.store.subsets import Subset
from src.model.inference.predictor import Predictor
from src.model.training.setup import check_plan_memory, prepare_training
from src.model.training.state import Training
from src.model.training.step import Step, training_step
from src.plan.plan import Plan


@dataclass(frozen=True)
class Shape:
    """What graphs depend on, besides the network.

    Attributes:
        resize: data.resize.
        crop: data.crop.
        batch: train.batch.
    """

    resize: int
    crop: int
    batch: int


@dataclass(frozen=True)
class Network:
    """A network in its initial state, with its graphs.

    Attributes:
        training: The network and its optimiser.
        step: Runs a step of training.
        predictor: Predicts images.
        initial: The state before the first step, for `Training.restore`.
        traced: The shapes for which the graphs exist.
    """

    training: Training
    step: Step
    predictor: Predictor
    initial: bytes
    traced: set[Shape] = field(default_factory=set)

    def reset(self) -> None:
        """Return to the initial state."""
        self.training.restore(self.initial)

    def predictor_of(self, plan: Plan) -> Predictor:
        """Return a predictor for a plan with this network; it shares the graph."""
        predictor = copy.copy(self.predictor)
        seen = {"shorter_side": plan.data.resize, "normalise": plan.data.normalise}
        predictor.project = self.predictor.project.model_copy(update=seen)
        return predictor


@dataclass
class Ready:
    """A candidate that can be trained.

    Attributes:
        network: Its network, which other candidates may share.
        patches: Its patches.
        plan: Its plan.
    """

    network: Network
    patches: Patches
    plan: Plan

    @property
    def shape(self) -> Shape:
        """The shape of its images and batches."""
        return Shape(self.plan.data.resize, self.plan.data.crop, self.plan.train.batch)


@dataclass
class Networks:
    """Builds networks and keeps them.

    Attributes:
        trained: The training images.
        validated: The validation images.
        seed: Of everything that is drawn.
        built: Settings of a network, as JSON → the network.
    """

    trained: Subset
    validated: Subset
    seed: int
    built: dict[str, Network] = field(default_factory=dict)

    def ready(self, plan: Plan) -> Ready:
        """Build what the candidate with this plan needs, unless it exists.

        Raises:
            UserError: The memory is too small, or the devices do not fit the settings.
        """
        key = network_key(plan)
        if key not in self.built:
            with contextlib.redirect_stdout(io.StringIO()):  # the facts of every network would hide the search
                training, patches = prepare_training(
                    self.trained, self.validated, plan, seed=self.seed, checkpoints=None
                )
            dataset = self.trained.store.dataset
            step = training_step(training.network, training.adam, training.loss, dataset, training.workers)
            predictor = Predictor(training.model, training.project)
            self.built[key] = Network(training, step, predictor, training.to_bytes())
        else:
            training = self.built[key].training
            if training.workers.replicas == 1 and not training.arithmetic.gpus:
                check_plan_memory(plan, training.arithmetic)
            patches = Patches(self.trained, plan.data, plan.augment, self.seed, encoder=plan.model.encoder)
        return Ready(self.built[key], patches, plan)

    def keep(self, plans: list[Plan]) -> None:
        """Drop all networks but those of these plans."""
        keys = {network_key(plan) for plan in plans}
        self.built = {key: network for key, network in self.built.items() if key in keys}


def network_key(plan: Plan) -> str:
    """Name a network: plans with equal names differ only in patches, augmentation, rate and batch."""
    loss = [plan.train.loss.model_dump(), plan.train.supervision, plan.train.precision, plan.train.strategy]
    return json.dumps([plan.model.model_dump(), plan.train.initial, loss], sort_keys=True)
