"""How the learning rate should follow the batch size, and where that ends (row OP17; Goyal et al.

2017, McCandlish et al. 2018).
"""

from dataclasses import dataclass
from statistics import mean
from typing import Literal

from osler.lab.small_training import mlp, train_digits
from osler.training.section import TrainSection

Rule = Literal["none", "linear", "sqrt"]


@dataclass(frozen=True, slots=True)
class ScalingRow:
    """Equally many epochs at one batch size, the learning rate scaled by a rule, with warm-up."""

    batch_size: int
    lr: float
    accuracy: float  # on the test half, mean over the seeds


@dataclass(frozen=True, slots=True)
class Scaling:
    """The accuracy over batch sizes under one rule."""

    rule: Rule
    rows: tuple[ScalingRow, ...]

    def critical_batch(self, band: float = 0.02) -> int | None:
        """The first batch size whose accuracy is below the first row's by more than `band`, if any."""
        floor = self.rows[0].accuracy - band
        return next((row.batch_size for row in self.rows if row.accuracy < floor), None)

    def band(self, width: float = 0.02) -> tuple[int, ...]:
        """The batch sizes of equal accuracy: those before the critical one."""
        end = self.critical_batch(width)
        return tuple(row.batch_size for row in self.rows if end is None or row.batch_size < end)


def scaling(
    rule: Rule,
    *,
    batch_sizes: tuple[int, ...] = (8, 32, 128, 449, 898),
    lr: float = 0.02,
    epochs: int = 12,
    seeds: tuple[int, ...] = (0,),
) -> Scaling:
    """Trains at each batch size; `lr` is meant for the first. The warm-up lasts one epoch."""
    rows = []
    for size in batch_sizes:
        section = TrainSection(
            epochs=epochs,
            batch_size=size,
            optimizer="sgd",
            lr=lr,
            lr_scaling=rule,
            lr_batch_size=batch_sizes[0],
            weight_decay=0,
            schedule="constant",
            warmup=1.0,
        )
        scores = [train_digits(mlp(seed=s), section, seed=s).accuracy for s in seeds]
        factor = {"none": 1.0, "linear": size / batch_sizes[0], "sqrt": (size / batch_sizes[0]) ** 0.5}[rule]
        rows.append(ScalingRow(size, lr * factor, mean(scores)))
    return Scaling(rule, tuple(rows))
