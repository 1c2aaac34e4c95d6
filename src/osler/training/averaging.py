"""A moving average of the weights, evaluated instead of them (Polyak & Juditsky 1992)."""

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn


class WeightAverage:
    """An exponential moving average of a model's parameters, with its buffers (norm statistics) copied as they are.

    After update t (from 1) the average moves to the new weights by 1 - d(t), with d(t) = min(decay, (t - 1) / (t +
    8)). The warm-up of the decay keeps the average over about the last tenth of a young run, instead of holding on to
    its first weights: at t = 1 the average is the weights themselves, so that their shares sum to 1 from the start and
    no bias is left to correct. A decay of 0.999 is reached at t = 8992. (TensorFlow's ExponentialMovingAverage has the
    same rule, shifted by one update.)
    """

    def __init__(self, model: nn.Module, *, decay: float) -> None:
        """Starts from the model as it is.

        Args:
            model: on its device; it is copied.
            decay: in [0, 1): the share that the average keeps at each update once it is warm.
        """
        self.decay = decay
        self.updates = 0
        self.model = deepcopy(model).requires_grad_(False).eval()
        self._averages: list[Tensor] = list(self.model.parameters())
        self._source = model
        self._weights: list[Tensor] = list(model.parameters())

    def decay_at(self, update: int) -> float:
        """The share that the average keeps at an update, counted from 1."""
        return min(self.decay, (update - 1) / (update + 8))

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Moves the average towards the model's weights, and copies its buffers."""
        if model is not self._source:
            self._source, self._weights = model, list(model.parameters())
        self.updates += 1
        torch._foreach_lerp_(self._averages, self._weights, 1 - self.decay_at(self.updates))
        buffers = list(model.buffers())  # taken afresh: a module may put another tensor in the place of one
        if buffers:
            torch._foreach_copy_(list(self.model.buffers()), buffers)

    @contextmanager
    def swapped_into(self, model: nn.Module) -> Iterator[None]:
        """Within, `model` has the averaged weights and buffers and `self.model` the current ones; nothing is copied."""
        self._swap(model)
        try:
            yield
        finally:
            self._swap(model)

    def _swap(self, model: nn.Module) -> None:
        for ours, theirs in zip(_tensors(self.model), _tensors(model), strict=True):
            ours.data, theirs.data = theirs.data, ours.data

    def state_dict(self) -> dict[str, Any]:
        """The averaged model and the number of updates."""
        return {"model": self.model.state_dict(), "updates": self.updates}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """The inverse of `state_dict`."""
        self.model.load_state_dict(state["model"])
        self.updates = state["updates"]


def _tensors(model: nn.Module) -> list[Tensor]:
    """The parameters and the buffers of a model."""
    return [*model.parameters(), *model.buffers()]
