"""The course of the learning rate over a run, by name: and its warm-up.

`Schedule.step(update)` is called before each update with its number from 0; what it sets is a function of that number
(and, for plateau, of the scores of the epochs so far), so that a resumed run continues exactly.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Le, Lt
from pydantic import Field, model_validator
from torch.optim import Optimizer

from osler.structures.errors import RecipeError
from osler.structures.section import Section
from osler.training import curves
from osler.training.curves import Curve
from osler.training.options import read_options
from osler.training.plateau import Plateau, PlateauOptions
from osler.training.section import TrainSection

Positive = Annotated[float, Gt(0)]
Share = Annotated[float, Ge(0), Le(1)]
Fraction = Annotated[float, Gt(0), Lt(1)]


class ConstantOptions(Section):
    """A constant learning rate has none."""


class StepOptions(Section):
    """Of step: down by a factor at regular intervals."""

    step: Positive = Field(30.0, description="epochs between two falls; fractions allowed")
    gamma: Fraction = Field(0.1, description="factor of each fall")


class MultistepOptions(Section):
    """Of multistep: down by a factor at given epochs."""

    milestones: tuple[Positive, ...] = Field(
        (), description="epochs of the falls, ascending; (): at half and three quarters of the run"
    )
    gamma: Fraction = Field(0.1, description="factor of each fall")

    @model_validator(mode="after")
    def _ascending(self) -> "MultistepOptions":
        if list(self.milestones) != sorted(set(self.milestones)):
            raise ValueError(f"milestones {list(self.milestones)} must ascend")
        return self


class CosineOptions(Section):
    """Of cosine."""

    final: Share = Field(0.0, description="learning rate after the last update, as a share of lr")


class PolynomialOptions(Section):
    """Of polynomial."""

    power: Positive = Field(1.0, description="1: a straight line; 0.9 is usual for segmentation (Chen et al. 2018)")
    final: Share = Field(0.0, description="learning rate after the last update, as a share of lr")


class OnecycleOptions(Section):
    """Of onecycle (Smith & Topin 2019), with PyTorch's values; lr is the peak."""

    pct_start: Share = Field(0.3, description="share of the updates that go up")
    anneal_strategy: Literal["cos", "linear"] = Field("cos", description="shape of rise and fall")
    div_factor: Annotated[float, Ge(1)] = Field(25.0, description="peak over start")
    final_div_factor: Annotated[float, Ge(1)] = Field(1e4, description="start over end")
    three_phase: bool = Field(
        False, description="fall back to the start as long as the rise took, and only then to the end"
    )
    cycle_momentum: bool = Field(
        True, description="move the momentum against the learning rate, where the optimiser has one"
    )
    base_momentum: Annotated[float, Ge(0), Lt(1)] = Field(0.85, description="momentum at the peak of the learning rate")
    max_momentum: Annotated[float, Ge(0), Lt(1)] = Field(0.95, description="momentum at start and end")

    @model_validator(mode="after")
    def _room_for_three(self) -> "OnecycleOptions":
        if self.three_phase and self.pct_start > 0.5:
            raise ValueError(f"three_phase with pct_start {self.pct_start} leaves no time to fall: at most 0.5")
        return self


SCHEDULES: dict[str, type[Section]] = {
    "constant": ConstantOptions,
    "step": StepOptions,
    "multistep": MultistepOptions,
    "cosine": CosineOptions,
    "onecycle": OnecycleOptions,
    "polynomial": PolynomialOptions,
    "plateau": PlateauOptions,
}


class Schedule:
    """Sets an optimiser's learning rates (and, for onecycle, momenta), in proportion to each group's base rate."""

    def __init__(
        self, optimizer: Optimizer, curve: Curve, *, momentum: Curve | None = None, plateau: Plateau | None = None
    ) -> None:
        """Takes the groups' present learning rates as base rates, and sets those of update 0."""
        self.optimizer = optimizer
        self.base_lrs = [float(g["lr"]) for g in optimizer.param_groups]
        self.update = 0
        self.plateau = plateau
        self._curve = curve
        self._momentum = momentum
        self.step(0)

    def factor(self, update: int) -> float:
        """Learning rate over base rate at an update, before any fall by plateau."""
        return self._curve(update)

    def step(self, update: int) -> None:
        """Sets the optimiser for an update, counted from 0."""
        self.update = update
        factor = self._curve(update)
        groups = self.optimizer.param_groups
        if self.plateau is None:
            for group, base in zip(groups, self.base_lrs, strict=True):
                group["lr"] = base * factor
        else:
            least, scale = self.plateau.options.min_lr, self.plateau.scale
            for group, base in zip(groups, self.base_lrs, strict=True):
                group["lr"] = factor * max(base * scale, min(least, base))
        if self._momentum is not None:
            momentum = self._momentum(update)
            for group in groups:
                if "betas" in group:
                    group["betas"] = (momentum, group["betas"][1])
                else:
                    group["momentum"] = momentum

    def epoch_ended(self, score: float, *, direction: Literal["min", "max"]) -> None:
        """Tells the schedule the monitored metric of an epoch; plateau alone minds."""
        if self.plateau is not None:
            self.plateau.judge(score, direction)
            self.step(self.update)

    def state_dict(self) -> dict[str, Any]:
        """The number of the update and what plateau remembers; the curve comes from the recipe."""
        if self.plateau is None:
            return {"update": self.update}
        remembered = {k: v for k, v in asdict(self.plateau).items() if k != "options"}
        return {"update": self.update, "plateau": remembered}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """The inverse of `state_dict`."""
        for name, value in state.get("plateau", {}).items():
            setattr(self.plateau, name, value)
        self.step(state["update"])


@dataclass(frozen=True, slots=True)
class Length:
    """How long a run is, in updates."""

    steps_per_epoch: int
    total: int
    warmup: int

    @property
    def rest(self) -> int:
        """Updates after the warm-up."""
        return self.total - self.warmup


def build_schedule(section: TrainSection, optimizer: Optimizer, *, steps_per_epoch: int, epochs: int) -> Schedule:
    """The schedule that a `train` section asks for.

    Steps and milestones count epochs from the start of the run; cosine and polynomial begin at their top when the
    warm-up ends and reach their end with the last epoch.

    Args:
        section: name, options and warm-up.
        optimizer: its groups' learning rates are the base rates.
        steps_per_epoch: updates in an epoch, at least 1.
        epochs: of the whole run.

    Raises:
        RecipeError: an unknown option, an impossible value, or a warm-up that fills the run.
    """
    name = section.schedule
    options = read_options(
        SCHEDULES[name], section.schedule_options, key="train.schedule_options", owner=f"the schedule {name}"
    )
    length = _length(section, steps_per_epoch, epochs)
    if isinstance(options, OnecycleOptions):
        return _onecycle_schedule(section, options, optimizer, length.total)
    curve = _curve(options, length)
    if length.warmup:
        curve = curves.warmup(length.warmup, curve, restart=isinstance(options, CosineOptions | PolynomialOptions))
    plateau = Plateau(options) if isinstance(options, PlateauOptions) else None
    return Schedule(optimizer, curve, plateau=plateau)


def _length(section: TrainSection, steps_per_epoch: int, epochs: int) -> Length:
    total = steps_per_epoch * epochs
    warmup = max(1, round(section.warmup * steps_per_epoch)) if section.warmup else 0
    if warmup and warmup >= total:
        raise RecipeError(
            f"train.warmup = {section.warmup} epochs is not possible in a run of {epochs}: "
            "the learning rate would never be reached."
        )
    return Length(steps_per_epoch, total, warmup)


def _curve(options: Section, length: Length) -> Curve:
    """The curve that comes after, or under, the warm-up."""
    match options:
        case StepOptions():
            return curves.staircase(options.step * length.steps_per_epoch, options.gamma)
        case MultistepOptions():
            epochs = length.total / length.steps_per_epoch
            at = options.milestones or (epochs / 2, epochs * 3 / 4)
            return curves.milestones([epoch * length.steps_per_epoch for epoch in at], options.gamma)
        case CosineOptions():
            return curves.cosine(length.rest, options.final)
        case PolynomialOptions():
            return curves.polynomial(length.rest, options.power, options.final)
        case _:  # constant and plateau
            return curves.constant()


def _onecycle_schedule(section: TrainSection, options: OnecycleOptions, optimizer: Optimizer, total: int) -> Schedule:
    if section.warmup:
        raise RecipeError(
            f"train.warmup = {section.warmup} is not possible with onecycle, which rises by itself. "
            "Set schedule_options.pct_start instead."
        )
    start = 1 / options.div_factor
    lr = curves.onecycle(
        total,
        options.pct_start,
        low=start,
        top=1.0,
        final=start / options.final_div_factor,
        three_phases=options.three_phase,
    )
    high, low = options.max_momentum, options.base_momentum
    momentum = curves.onecycle(
        total, options.pct_start, low=high, top=low, final=high, three_phases=options.three_phase
    )
    moves = options.cycle_momentum and all(_has_momentum(g) for g in optimizer.param_groups)
    return Schedule(
        optimizer,
        curves.phases(lr, options.anneal_strategy),
        momentum=curves.phases(momentum, options.anneal_strategy) if moves else None,
    )


def _has_momentum(group: Mapping[str, Any]) -> bool:
    return "betas" in group or group.get("momentum", 0) > 0
