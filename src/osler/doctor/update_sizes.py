"""How large updates are against the weights that they change: of weight matrices, by sampled step."""

import math
from dataclasses import dataclass

import numpy as np

from osler.doctor.case import Case
from osler.vitals.evidence import OptimizerSeen


@dataclass(frozen=True)
class Ratio:
    """An update's size as a share of the weights', at one step."""

    step: int
    lr: float
    by_matrix: dict[str, float]

    @property
    def middle(self) -> float:
        """The median over matrices."""
        return float(np.median(list(self.by_matrix.values())))

    @property
    def largest(self) -> float:
        """The largest of any matrix."""
        return max(self.by_matrix.values())


def update_ratios(case: Case, optimizer: OptimizerSeen) -> list[Ratio]:
    """Update against weight norm of every parameter with two dimensions or more, step by step.

    Biases, fresh gains and matrices that start at zero are left out: they stay small at first, so their ratios say nothing.
    """
    flat = {
        name
        for model in case.evidence.models
        for name, parameter in model.parameters.items()
        if len(parameter.shape) < 2 or parameter.start.count < 2 or parameter.start.low == parameter.start.high == 0
    }
    found = []
    for sample in optimizer.samples:
        ratios = {
            name: sample.updates[name] / sample.weights[name]
            for name in sample.updates
            if name not in flat and sample.weights[name] > 1e-12
        }
        ratios = {name: ratio for name, ratio in ratios.items() if math.isfinite(ratio)}
        if ratios:
            found.append(Ratio(sample.step, sample.lr[0] if sample.lr else math.nan, ratios))
    return found


def effective_rate(optimizer: OptimizerSeen) -> float:
    """The largest rate that was used, times what momentum makes of it in the long run (1 / (1 - momentum))."""
    rates = [rate for _, rate in optimizer.rates]
    if not rates:
        return math.nan
    momentum = optimizer.options[0].get("momentum", 0.0) if optimizer.options else 0.0
    momentum = momentum if isinstance(momentum, float) and 0 <= momentum < 1 else 0.0
    return max(rates) / (1 - momentum)


def travelled(ratios: list[Ratio], steps: int) -> float:
    """How far the weights could have come at most, as a share of their size: the ratios of all updates added up."""
    if not ratios:
        return math.nan
    at = np.array([r.step for r in ratios], dtype=float)
    sizes = np.array([r.largest for r in ratios])
    return float(np.interp(np.arange(int(at[0]), int(at[0]) + steps), at, sizes).sum())


def is_adaptive(optimizer: OptimizerSeen) -> bool:
    """Whether the optimizer divides a gradient by its own usual size, so that the rate alone sets the step."""
    return optimizer.kind.lower().lstrip("_") in {
        "adam", "adamw", "adamax", "nadam", "radam", "rmsprop", "adagrad", "sparseadam", "lion", "lamb", "rprop",
    }  # fmt: skip
