"""Reduce on plateau: the learning rate falls when the monitored metric stops improving."""

import math
from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Lt
from pydantic import Field

from osler.structures.section import Section

Fraction = Annotated[float, Gt(0), Lt(1)]


class PlateauOptions(Section):
    """Of plateau: down by a factor when the monitored metric stops improving; PyTorch's defaults."""

    factor: Fraction = Field(0.1, description="factor of each fall")
    patience: Annotated[int, Ge(0)] = Field(
        10, description="epochs without improvement that are borne; the next one makes lr fall"
    )
    threshold: Annotated[float, Ge(0)] = Field(1e-4, description="least improvement that counts")
    threshold_mode: Literal["rel", "abs"] = Field("rel", description="threshold as a share of the best, or as it is")
    cooldown: Annotated[int, Ge(0)] = Field(0, description="epochs after a fall in which none is counted")
    min_lr: Annotated[float, Ge(0)] = Field(0.0, description="learning rate below which none falls")


@dataclass(slots=True)
class Plateau:
    """What reduce-on-plateau remembers; the rule is PyTorch's ReduceLROnPlateau."""

    options: PlateauOptions
    scale: float = 1.0  # the falls so far
    best: float | None = None
    bad_epochs: int = 0
    cooldown: int = 0

    def judge(self, score: float, direction: Literal["min", "max"]) -> None:
        """Counts an epoch, and lets the learning rate fall after too many bad ones. NaN is bad."""
        if self._improves(score, direction):
            self.best, self.bad_epochs = score, 0
        else:
            self.bad_epochs += 1
        if self.cooldown > 0:
            self.cooldown, self.bad_epochs = self.cooldown - 1, 0
        if self.bad_epochs > self.options.patience:
            self.scale *= self.options.factor
            self.cooldown, self.bad_epochs = self.options.cooldown, 0

    def _improves(self, score: float, direction: Literal["min", "max"]) -> bool:
        if self.best is None:
            return not math.isnan(score)
        sign = 1 if direction == "max" else -1
        relative = self.options.threshold_mode == "rel"
        bar = self.best * (1 + sign * self.options.threshold) if relative else self.best + sign * self.options.threshold
        return score > bar if direction == "max" else score < bar
