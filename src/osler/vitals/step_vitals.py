"""Vital signs of one update: gradient norm, update-to-weight ratios, dead ReLU units."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer


@dataclass(frozen=True, slots=True)
class StepVitals:
    """What one update showed. Names are those of the module."""

    gradient_norm: float  # Euclidean, of all that the optimiser moves as one vector, after clipping
    update_ratios: dict[str, float]  # |change| / |weights before|, of each parameter with two dimensions or more
    dead_units: dict[str, float]  # share of each ReLU layer's units that were 0 for every sample since the last reading


class StepWatch:
    """Measures each step of an optimiser on a module, by hooks; it changes neither of them, nor any random state.

    Healthy update-to-weight ratios lie around one in a thousand (Karpathy, cs231n). A unit is a channel: dimension 1
    of a layer's output; it counts as dead when it was 0 at every place of every sample in training mode since the last
    reading. Weights are copied before each step, so that watching costs one pass over them.

        with StepWatch(module, optimizer) as watch:
            ...  # forward, backward, optimizer.step()
            vitals = watch.read()
    """

    def __init__(self, module: nn.Module, optimizer: Optimizer) -> None:
        moved = {id(p) for group in optimizer.param_groups for p in group["params"]}
        named = [(name, p) for name, p in module.named_parameters() if id(p) in moved]
        self._all = [p for _, p in named]
        self._weights = [(name, p) for name, p in named if p.ndim >= 2]
        self._before: list[Tensor] = []
        self._norm: Tensor | None = None
        self._ratios: list[Tensor] = []
        self._alive: dict[str, Tensor] = {}
        self._hooks: list[Any] = [
            optimizer.register_step_pre_hook(self._remember),
            optimizer.register_step_post_hook(self._measure),
        ]
        for name, layer in module.named_modules():
            if isinstance(layer, nn.ReLU | nn.ReLU6):
                self._hooks.append(layer.register_forward_hook(self._record(name)))

    def __enter__(self) -> "StepWatch":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Takes the hooks off."""
        for hook in self._hooks:
            hook.remove()
        self._hooks.clear()

    def read(self) -> StepVitals:
        """The vitals of the last step; the count of dead units begins anew.

        Raises:
            ValueError: there was no step yet.
        """
        if self._norm is None:
            raise ValueError(
                "StepWatch.read: the optimiser has made no step since the watch began. Call it after a step."
            )
        ratios = {name: float(r) for (name, _), r in zip(self._weights, self._ratios, strict=True)}
        dead = {name: 1 - alive.float().mean().item() for name, alive in self._alive.items()}
        self._alive.clear()
        return StepVitals(float(self._norm), ratios, dead)

    @torch.no_grad()
    def _remember(self, optimizer: Optimizer, arguments: Any, options: Any) -> None:
        self._before = [p.detach().clone() for _, p in self._weights]

    @torch.no_grad()
    def _measure(self, optimizer: Optimizer, arguments: Any, options: Any) -> None:
        gradients = [p.grad for p in self._all if p.grad is not None]
        self._norm = nn.utils.get_total_norm(gradients) if gradients else torch.zeros(())
        self._ratios = [
            (p - before).norm() / before.norm().clamp_min(torch.finfo(p.dtype).tiny)
            for (_, p), before in zip(self._weights, self._before, strict=True)
        ]

    def _record(self, name: str) -> Any:
        @torch.no_grad()
        def hook(layer: nn.Module, inputs: Any, output: Tensor) -> None:
            if layer.training:
                places = [d for d in range(output.ndim) if d != 1]
                fired = (output > 0).any(dim=places) if places else output > 0
                self._alive[name] = self._alive[name] | fired if name in self._alive else fired

        return hook
