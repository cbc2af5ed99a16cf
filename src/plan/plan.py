"""The plan of a training: every setting as a number with its reason, those that were `auto` by src/plan/rules.py."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from src.archive.project import PlannedSetting
from src.errors import UserError
from src.params import Data, Model, PlannedData, PlannedModel, PlannedTrain, Train, check_crop
from src.plan import rules
from src.plan.facts import Facts

Value = TypeVar("Value", bound=int | float | str)
BY_HAND = "set by hand"
THAT_OF_INITIAL = "that of train.initial"


@dataclass
class Planning:
    """What was chosen so far, in order: the setting's name in params.yaml → its value, and why."""

    made: dict[str, PlannedSetting] = field(default_factory=dict)

    def __call__(self, key: str, asked: Any, rule: Callable[[], tuple[Value, str]]) -> Value:
        """What was asked for, else what the rule says; noted."""
        value, why = rule() if asked == "auto" else (asked, BY_HAND)
        self.made[key] = PlannedSetting(value=value, why=why)
        return value


@dataclass(frozen=True)
class Shown:
    """What the network is, and what it is shown: all that the picture of the augmentation needs of a plan.

    facts: what it is made from; choices: see `Planning`.
    """

    facts: Facts
    data: PlannedData
    unet: PlannedModel
    choices: Mapping[str, PlannedSetting]


@dataclass(frozen=True)
class Plan(Shown):
    """All that a training needs."""

    train: PlannedTrain

    @property
    def numbers(self) -> dict[str, Any]:
        """Setting → value."""
        return {key: choice.value for key, choice in self.choices.items()}

    def __str__(self) -> str:
        """A table: setting, value, reason."""
        width = max(map(len, self.choices))
        return "\n".join(f"{key:<{width}}  {one.value!s:>7}  {one.why}" for key, one in self.choices.items())


def plan_network(facts: Facts, data: Data, unet: Model, gib: float) -> Shown:
    """The first half of a plan. gib: train.memory_gib.

    `UserError` if what is set by hand contradicts the network that training begins from, or itself.
    """
    choose, initial = Planning(), facts.initial
    normalise = choose("data.normalise", data.normalise, lambda: rules.normalise(facts))
    resize = choose("data.resize", data.resize, lambda: _resize(facts, data))
    facts = replace(facts, resize=resize)
    if initial:
        _refuse_another(unet, initial.unet)
        depth = choose("model.depth", "auto", lambda: (initial.unet.depth, THAT_OF_INITIAL))
        filters = choose("model.filters", "auto", lambda: (initial.unet.filters, THAT_OF_INITIAL))
    else:
        depth = choose("model.depth", unet.depth, lambda: rules.depth(facts, data.crop))
        filters = choose("model.filters", unet.filters, lambda: rules.filters(facts, depth, gib))
    crop = choose("data.crop", data.crop, lambda: rules.crop(facts, filters, depth, gib))
    try:
        check_crop(crop, depth)
    except ValueError as error:
        raise UserError(f"the plan: {error}") from None
    rare = choose("data.oversample_rare", data.oversample_rare, lambda: rules.rare(facts))
    numbers = {"normalise": normalise, "resize": resize, "crop": crop, "oversample_rare": rare}
    planned = PlannedData.model_validate(data.model_dump() | numbers)
    return Shown(facts, planned, PlannedModel(filters=filters, depth=depth), choose.made)


def plan_training(facts: Facts, data: Data, unet: Model, params: Train) -> Plan:
    """The whole plan. `UserError` as of `plan_network`, and if a batch holds nothing to normalise."""
    shown = plan_network(facts, data, unet, params.memory_gib)
    choose, crop, facts = Planning(dict(shown.choices)), shown.data.crop, shown.facts
    network = shown.unet.filters, shown.unet.depth
    batch = choose("train.batch", params.batch, lambda: rules.batch(facts, *network, crop, params.memory_gib))
    if batch * (crop // 2**shown.unet.depth) ** 2 < 2:
        raise UserError(
            "the plan: at model.depth a batch comes down to one pixel, which normalises to 0: raise data.crop"
        )
    steps = choose("train.steps", params.steps, lambda: rules.steps(facts, crop, batch, params.epochs))
    pixels = steps * batch * crop**2
    validated = choose(
        "train.validation_images", params.validation_images, lambda: rules.validated(facts, pixels, params.epochs)
    )
    epochs = choose("train.epochs", params.epochs, lambda: rules.epochs(facts, pixels, steps, validated))
    lr = choose("train.lr", params.lr, lambda: rules.lr(batch, facts.initial is not None))
    warmup = choose("train.warmup", params.warmup, lambda: rules.warmup(steps))
    numbers = {
        "batch": batch,
        "steps": steps,
        "validation_images": validated,
        "epochs": epochs,
        "lr": lr,
        "warmup": warmup,
    }
    return Plan(facts, shown.data, shown.unet, choose.made, PlannedTrain.model_validate(params.model_dump() | numbers))


def _resize(facts: Facts, data: Data) -> tuple[int, str]:
    """What the initial network has learned, it has learned at one resolution."""
    return (facts.initial.resize, THAT_OF_INITIAL) if facts.initial else rules.resize(facts, data.crop)


def _refuse_another(unet: Model, initial: PlannedModel) -> None:
    """`UserError` if another network than the initial one is asked for."""
    asked, had = unet.model_dump(), initial.model_dump()
    others = [name for name in had if asked[name] not in ("auto", had[name])]
    wrong = [f"model.{name} ({asked[name]}; it has {had[name]})" for name in others]
    if wrong:
        raise UserError(f"train.initial: not the network that is asked for: set to auto {' and '.join(wrong)}")
