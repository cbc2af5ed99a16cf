"""The plan of a training: every setting as a number with its reason. Rules replace settings that are `auto`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar, cast

from src.archive.project import PlannedSetting
from src.data.crops.resize import MOST_PIXELS
from src.encoders import DEEPEST
from src.errors import UserError, some
from src.params import (
    Augment,
    Data,
    Encoder,
    Model,
    PlannedAugment,
    PlannedData,
    PlannedModel,
    PlannedTrain,
    Train,
    check_crop,
)
from src.plan import uprightness
from src.plan.class_weights import LossWeights, class_weights, given_weights
from src.plan.facts import Facts
from src.plan.rules import data as data_rules
from src.plan.rules import network as network_rules
from src.plan.rules import training as training_rules

Value = TypeVar("Value", bound=int | float | str)
BY_HAND = "set by hand"
OF_INITIAL = "that of train.initial"


@dataclass
class Choices:
    """The settings that were chosen so far, in order.

    Attributes:
        made: Name of the setting in params.yaml → its value and the reason.
    """

    made: dict[str, PlannedSetting] = field(default_factory=dict)

    def choose(self, key: str, setting: Value | str, rule: Callable[[], tuple[Value, str]]) -> Value:
        """Choose a value and record it.

        Args:
            key: The name of the setting in params.yaml.
            setting: Its value there, or auto.
            rule: Gives value and reason for auto.

        Returns:
            The chosen value.
        """
        value, why = rule() if setting == "auto" else (cast(Value, setting), BY_HAND)
        self.made[key] = PlannedSetting(value=value, why=why)
        return value


@dataclass(frozen=True)
class NetworkPlan:
    """The first half of a plan: the network and the patches that it sees. The augment stage needs no more.

    Attributes:
        facts: The facts from which the plan follows, with the planned `resize`.
        data: The planned section `data`.
        augment: The planned section `augment`.
        model: The planned section `model`.
        choices: Name of the setting in params.yaml → its value and the reason.
    """

    facts: Facts
    data: PlannedData
    augment: PlannedAugment
    model: PlannedModel
    choices: Mapping[str, PlannedSetting]


@dataclass(frozen=True)
class Plan(NetworkPlan):
    """The whole plan of a training.

    Attributes:
        train: The planned section `train`.
    """

    train: PlannedTrain

    @property
    def loss(self) -> LossWeights:
        """The weights of the terms of the loss, and of the classes."""
        loss = self.train.loss
        if isinstance(loss.class_weights, str):
            classes = class_weights(loss.class_weights, self.facts.shares)
        else:
            classes = given_weights(loss.class_weights, self.facts.classes)
        return LossWeights(**loss.model_dump(exclude={"class_weights"}), classes=classes)

    @property
    def numbers(self) -> dict[str, int | float | str]:
        """Name of the setting in params.yaml → its value."""
        return {key: choice.value for key, choice in self.choices.items()}

    def __str__(self) -> str:
        """A table of setting, value and reason."""
        width, values = max(map(len, self.choices)), max(len(str(one.value)) for one in self.choices.values())
        return "\n".join(f"{key:<{width}}  {one.value!s:>{values}}  {one.why}" for key, one in self.choices.items())


def plan_network(facts: Facts, data: Data, augment: Augment, model: Model, gib: float) -> NetworkPlan:
    """Plan the network and the patches that it sees.

    Args:
        facts: The facts of the training.
        data: The section `data` of params.yaml.
        augment: The section `augment` of params.yaml.
        model: The section `model` of params.yaml.
        gib: train.memory_gib.

    Raises:
        UserError: A setting contradicts another one, or the network of train.initial.
    """
    choices, initial = Choices(), facts.initial
    choose = choices.choose
    encoder = model.encoder
    if data.normalise == "encoder" and (problem := data_rules.no_encoder_scaling(facts, model)):
        raise UserError(f"the plan: data.normalise: encoder: {problem}")
    if encoder != "plain" and model.depth != "auto" and model.depth > DEEPEST:
        most = f"{encoder} halves the resolution {DEEPEST} times at most"
        raise UserError(f"the plan: model.depth ({model.depth}): {most}: lower it, or set auto")
    normalise = choose("data.normalise", data.normalise, lambda: data_rules.normalise(facts, model))
    resize = choose("data.resize", data.resize, lambda: _resize(facts, data, encoder))
    facts = replace(facts, resize=resize)
    _refuse_too_large(facts)
    if initial:
        _refuse_another(model, initial.model)
        depth = choose("model.depth", "auto", lambda: (initial.model.depth, OF_INITIAL))
        filters = choose("model.filters", "auto", lambda: (initial.model.filters, OF_INITIAL))
    else:
        depth = choose("model.depth", model.depth, lambda: network_rules.depth(facts, data.crop, encoder))
        filters = choose("model.filters", model.filters, lambda: network_rules.filters(facts, encoder, depth, gib))
    planned_model = PlannedModel(encoder=encoder, weights=model.weights, filters=filters, depth=depth)
    crop = choose("data.crop", data.crop, lambda: network_rules.crop(facts, planned_model, gib))
    try:
        check_crop(crop, depth)
    except ValueError as error:
        raise UserError(f"the plan: {error}") from None
    rare = choose("data.oversample_rare", data.oversample_rare, lambda: data_rules.rare(facts))
    numbers = {"normalise": normalise, "resize": resize, "crop": crop, "oversample_rare": rare}
    planned = PlannedData.model_validate(data.model_dump() | numbers)
    flip = choose("augment.flip", augment.flip, lambda: uprightness.flip(facts.layout))
    flipped = PlannedAugment.model_validate(augment.model_dump() | {"flip": flip})
    return NetworkPlan(facts, planned, flipped, planned_model, choices.made)


def plan_training(facts: Facts, data: Data, augment: Augment, model: Model, train: Train) -> Plan:
    """Plan a training.

    Args:
        facts: The facts of the training.
        data: The section `data` of params.yaml.
        augment: The section `augment` of params.yaml.
        model: The section `model` of params.yaml.
        train: The section `train` of params.yaml.

    Raises:
        UserError: See `plan_network`. Or a batch would have a single value per filter at the bottom of the network.
    """
    network = plan_network(facts, data, augment, model, train.memory_gib)
    choices, crop, facts = Choices(dict(network.choices)), network.data.crop, network.facts
    choose, depth = choices.choose, network.model.depth
    batch = choose(
        "train.batch", train.batch, lambda: network_rules.batch(facts, network.model, crop, train.memory_gib)
    )
    if batch * (crop // 2**depth) ** 2 < 2:
        raise UserError(
            "the plan: at model.depth a batch comes down to one pixel, which normalises to 0: raise data.crop"
        )
    steps = choose("train.steps", train.steps, lambda: training_rules.steps(facts, crop, batch, train.epochs))
    pixels = steps * batch * crop**2
    images = choose(
        "train.validation_images",
        train.validation_images,
        lambda: training_rules.validation_images(facts, pixels, train.epochs),
    )
    epochs = choose("train.epochs", train.epochs, lambda: training_rules.epochs(facts, pixels, steps, images))
    lr = choose(
        "train.lr",
        train.lr,
        lambda: training_rules.lr(batch, network.model, facts.initial is not None, train.encoder_rate),
    )
    warmup = choose("train.warmup", train.warmup, lambda: training_rules.warmup(steps))
    weights = _class_weights(choices, train.loss.class_weights, facts)
    numbers = {
        "loss": train.loss.model_dump() | {"class_weights": weights},
        "batch": batch,
        "steps": steps,
        "validation_images": images,
        "epochs": epochs,
        "lr": lr,
        "warmup": warmup,
    }
    planned = PlannedTrain.model_validate(train.model_dump() | numbers)
    return Plan(facts, network.data, network.augment, network.model, choices.made, planned)


def _class_weights(choices: Choices, setting: str | dict[str, float], facts: Facts) -> str | dict[str, float]:
    """Choose train.loss.class_weights; weights by name are recorded as text, in the order of the classes."""
    key = "train.loss.class_weights"
    if isinstance(setting, str):
        return choices.choose(key, setting, lambda: training_rules.class_weights(facts))
    each = zip(facts.classes, given_weights(setting, facts.classes), strict=True)
    choices.made[key] = PlannedSetting(value=", ".join(f"{name} {weight:g}" for name, weight in each), why=BY_HAND)
    return setting


def _resize(facts: Facts, data: Data, encoder: Encoder) -> tuple[int, str]:
    """An initial network keeps its own resolution, since what it learned holds only there."""
    return (facts.initial.resize, OF_INITIAL) if facts.initial else data_rules.resize(facts, data.crop, encoder)


def _refuse_too_large(facts: Facts) -> None:
    """Raise `UserError` if data.resize would enlarge images beyond what memory can hold as a whole."""
    sizes = map(facts.network_size, {*facts.training_sizes, *facts.validation_sizes}) if facts.resize else []
    if wrong := sorted(f"{height} × {width}" for height, width in sizes if height * width > MOST_PIXELS):
        most = f"more than {MOST_PIXELS:,} pixels"
        raise UserError(f"data.resize: {facts.resize} would make images of {some(wrong, show=str)}, {most}: lower it")


def _refuse_another(model: Model, initial: PlannedModel) -> None:
    """Raise `UserError` if the section `model` asks for another network than the initial one."""
    if model.encoder != initial.encoder:
        raise UserError(f"train.initial: that network has another encoder: set model.encoder: {initial.encoder}")
    wanted, existing = model.model_dump(), initial.model_dump()
    others = [name for name in ("filters", "depth") if wanted[name] not in ("auto", existing[name])]
    wrong = [f"model.{name} ({wanted[name]}; it has {existing[name]})" for name in others]
    if wrong:
        raise UserError(f"train.initial: not the network that is asked for: set to auto {' and '.join(wrong)}")
