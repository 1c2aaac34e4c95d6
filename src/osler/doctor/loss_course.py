"""The course of the training loss: where it began and ended, and how low a constant answer would have been."""

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from osler.doctor.case import BINARY_LOSSES, CLASS_LOSSES, REGRESSION_LOSSES, Case
from osler.doctor.class_tasks import comes_in_tasks
from osler.doctor.fault import NotSeen
from osler.vitals.evidence import LossSeen, ModelSeen, OptimizerSeen

PARTS = 10
COMPARING_LOSSES = (
    "triplet_margin_loss", "triplet_margin_with_distance_loss", "margin_ranking_loss", "cosine_embedding_loss",
    "hinge_embedding_loss",
)  # fmt: skip


@dataclass(frozen=True)
class Course:
    """The loss on which `backward` was called, over the updates."""

    values: np.ndarray  # the finite ones, in order
    bad: int  # how many were NaN or infinite
    tenths: np.ndarray  # mean of each tenth; empty where there are fewer than 20 values
    noise: float  # spread of a single value around its tenth's mean, over the second half

    @property
    def first(self) -> float:
        """The loss before the first update."""
        return float(self.values[0])

    @property
    def start(self) -> float:
        """Mean of the first 2 %, at least of three."""
        return float(np.mean(self.values[: max(3, len(self.values) // 50)]))

    @property
    def end(self) -> float:
        """Mean of the last tenth."""
        return float(np.mean(self.values[-max(3, len(self.values) // PARTS) :]))

    @property
    def highest(self) -> float:
        """The largest value."""
        return float(np.max(self.values))

    def change(self, begin: float, end: float, at_least: int = 8) -> tuple[float, float]:
        """By how much a straight line through the values between two shares of the run rises, and how many times its
        standard error that is."""
        part = self.values[int(len(self.values) * begin) : math.ceil(len(self.values) * end)]
        if len(part) < at_least:
            return math.nan, 0.0
        place = np.linspace(-0.5, 0.5, len(part))
        slope = float(place @ part / (place @ place))
        rest = part - part.mean() - slope * place
        error = float(np.sqrt(rest @ rest / (len(part) - 2) / (place @ place)))
        return slope, slope / error if error > 0 else math.copysign(math.inf, slope) if slope else 0.0


def course(case: Case) -> Course:
    """The course of the loss of the line with most calls.

    Raises:
        NotSeen: no finite loss was seen.
    """
    curve = case.loss_curve
    every = curve[curve[:, 0] >= last_stage(case), 1]
    values = every[np.isfinite(every)]
    if len(values) < 3:
        raise NotSeen("hardly any finite loss was seen")
    parts = np.array_split(values, PARTS) if len(values) >= 2 * PARTS else []
    tenths = np.array([part.mean() for part in parts])
    rests = [part - part.mean() for part in parts[PARTS // 2 :]]
    noise = float(np.concatenate(rests).std()) if rests else math.nan
    return Course(values, len(every) - len(values), tenths, noise)


def last_stage(case: Case) -> int:
    """The update at which the last optimizer began, where several came one after the other; 0 where there was one stage."""
    optimizers = [o for o in case.evidence.optimizers if o.steps and o.samples]
    if len(optimizers) < 2 or _take_turns(optimizers):
        return 0
    return case.evidence.steps - max(optimizers, key=lambda o: o.samples[0].step).steps


@dataclass(frozen=True)
class TaughtLoss:
    """The loss function of PyTorch's that teaches, with what it was late, beside the loss of the best constant answer."""

    loss: LossSeen
    early: float  # the first values
    late: float  # mean of the last third
    constant: float  # of the best answer that is the same for every sample; NaN where that is not known

    @property
    def left(self) -> float:
        """The late loss as a share of the best constant answer's; NaN where that is not known."""
        return self.late / self.constant if self.constant > 0 else math.nan


def taught_loss(case: Case) -> TaughtLoss | None:
    """The most used loss for classes or numbers; None where none of PyTorch's own was called."""
    return next(iter(taught_losses(case)), None)


def taught_losses(case: Case) -> list[TaughtLoss]:
    """All losses for classes or numbers that were called often enough, the most used first."""
    found = []
    for loss in case.losses(*CLASS_LOSSES, *BINARY_LOSSES, *REGRESSION_LOSSES):
        seen = [(s.step, s.value) for s in loss.samples if s.moment == "train" and math.isfinite(s.value)]
        if len(seen) >= 3:
            found.append(
                TaughtLoss(loss, float(np.mean([v for _, v in seen[:3]])), _late(case, loss, seen), constant_loss(loss))
            )
    return found


def _late(case: Case, loss: LossSeen, seen: list[tuple[int, float]]) -> float:
    """The mean of the last third, of every update where `backward` was called on this very loss."""
    if is_all_that_is_taught(case, loss):
        values = course(case).values
        return float(np.mean(values[-max(3, len(values) // 3) :]))
    last = seen[-1][0]
    return float(np.mean([value for step, value in seen if step > last * 2 / 3]))


def is_all_that_is_taught(case: Case, loss: LossSeen) -> bool:
    """Whether `backward` was called on the very values that this function gave."""
    try:
        curve = case.loss_curve
    except NotSeen:
        return False
    by_step: dict[int, list[float]] = {}
    for step, value in curve:
        by_step.setdefault(int(step), []).append(float(value))
    near = []
    for sample in loss.samples:
        # an update by hand is noticed late: then the sample counts one step less
        there = [*by_step.get(sample.step - 1, ()), *by_step.get(sample.step, ())]
        if sample.moment == "train" and there and math.isfinite(sample.value):
            least = (
                min(abs(v - sample.value) for v in there if not math.isnan(v)) if not all(map(math.isnan, there)) else 0
            )
            near.append(least <= 1e-3 * max(abs(sample.value), 1e-9))
    return bool(near) and float(np.mean(near)) > 0.9


def constant_loss(loss: LossSeen) -> float:
    """The mean loss of the best constant answer for the targets that were seen; for several numbers a sample an upper bound."""
    if loss.options.get("reduction", "mean") == "sum" or not loss.targets:
        return math.nan
    if loss.function in CLASS_LOSSES and loss.target_is_integer:
        return _of_classes(loss)
    if loss.function in BINARY_LOSSES:
        share = sum(v * n for v, n in loss.targets.items()) / sum(loss.targets.values())
        weight = loss.options.get("pos_weight")
        weight = weight[0] if isinstance(weight, tuple) and len(weight) == 1 else 1.0
        if not 0 < share < 1 or (isinstance(loss.options.get("pos_weight"), tuple) and weight == 1.0):
            return math.nan
        said = weight * share / (weight * share + 1 - share)
        return -(weight * share * math.log(said) + (1 - share) * math.log(1 - said))
    if loss.function == "mse_loss":
        targets = [s.target for s in loss.samples if s.target is not None and s.moment == "train" and not s.target.bad]
        if targets:
            means = np.array([t.mean for t in targets])
            return float(np.mean([t.std**2 for t in targets]) + means.var())
    return math.nan


def _of_classes(loss: LossSeen) -> float:
    classes = next((s.input.shape[1] for s in loss.samples if len(s.input.shape) >= 2), 0)
    weights = loss.options.get("weight")
    ignored = loss.options.get("ignore_index", -100)
    counts = {int(v): float(n) for v, n in loss.targets.items() if int(v) != ignored}
    if isinstance(weights, tuple):
        counts = {v: n * weights[v] for v, n in counts.items() if 0 <= v < len(weights)}
    total = sum(counts.values())
    smoothing = float(loss.options.get("label_smoothing") or 0.0)
    if total <= 0 or classes < 2:
        return math.nan
    shares = np.array([n / total for n in counts.values()] + [0.0] * max(0, classes - len(counts)))
    shares = (1 - smoothing) * shares + smoothing / classes
    shares = shares[shares > 0]
    return float(-(shares @ np.log(shares)))


def why_not_plain(case: Case) -> str | None:
    """Why the height of the loss says little about learning here; None where it should fall and then stay low.

    Adversaries, networks that make the targets of others, agents that act, losses that compare samples with each other.
    """
    stepping = [o for o in case.optimizers if o.steps >= 0.1 * case.optimizers[0].steps]
    if len(stepping) > 1 and _take_turns(case.optimizers):
        return "several optimizers take turns"
    lines = sorted((b.calls for b in case.evidence.backwards), reverse=True)
    if len(lines) > 1 and len(stepping) > 1 and lines[1] > 0.2 * lines[0] and _take_turns(case.optimizers):
        return "several losses take turns"
    if any(case.losses(*COMPARING_LOSSES)):
        return "the loss compares samples with each other"
    if any(o.kind == "LBFGS" for o in stepping):
        return "L-BFGS calls the loss many times an update"
    if case.evidence.event_counts["G"] > 0.2 * max(1, case.evidence.event_counts["B"]):
        return "gradients are asked for besides the training's"
    if any(comes_in_tasks(case.data(model).train) for model in case.evidence.trained_models):
        return "tasks come one after the other, each with classes of its own"
    steps = max(1, case.evidence.steps)
    for model in case.evidence.models:
        if not model.trained and model.call_counts["evaluate"] > 0.5 * steps:
            return f"{model.name} makes targets for another network"
        if acts(case, model):
            return f"{model.name} acts and learns from what comes of it"
    return None


def acts(case: Case, model: ModelSeen) -> bool:
    """Whether a network acts in a world, one sample at a time, and makes its own targets of what comes of it."""
    supervised = case.losses(*CLASS_LOSSES, *BINARY_LOSSES, *REGRESSION_LOSSES)
    often = model.call_counts["train"] > 2 * max(1, case.evidence.steps)
    return _is_asked(model) or (_decides(model) and (not supervised or often))


def _take_turns(optimizers: list[OptimizerSeen]) -> bool:
    spans = sorted((o.samples[0].step, o.samples[-1].step) for o in optimizers if o.samples)
    return any(later[0] < earlier[1] for earlier, later in pairwise(spans))


def _is_asked(model: ModelSeen) -> bool:
    """Whether a network is asked one sample at a time between its updates."""
    singles = [c for c in model.calls if c.moment == "evaluate" and c.inputs and _alone(c.inputs[0].shape)]
    asked = model.call_counts["evaluate"]
    return model.trained and asked > 0.5 * model.call_counts["train"] and len(singles) > 10


def _decides(model: ModelSeen) -> bool:
    """Whether a network is called on single samples while it learns, as a policy is."""
    calls = [c for c in model.calls if c.moment == "train" and c.inputs]
    return len(calls) > 10 and sum(_alone(c.inputs[0].shape) for c in calls) > 0.8 * len(calls)


def _alone(shape: tuple[int, ...]) -> bool:
    return len(shape) <= 1 or shape[0] == 1


def rates_are_searched(case: Case) -> bool:
    """Whether the rate climbs by a hundred or more over the run (a range test), or goes up and down again and again."""
    for optimizer in case.optimizers:
        rates = np.array([rate for _, rate in optimizer.rates if rate > 0])
        if len(rates) < 10:
            continue
        rises = np.diff(rates) > 0
        if rises.mean() > 0.95 and rates[-1] > 100 * rates[0] and len(rates) > 0.5 * optimizer.steps:
            return True
        turns = int(np.sum(rises[1:] != rises[:-1]))
        if turns >= 4 and rates.max() > 1.5 * rates.min():
            return True
    return False
