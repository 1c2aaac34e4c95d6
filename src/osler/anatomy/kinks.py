"""Which units cross a kink when something is moved: rectifiers whose input changes side, maxima whose winner changes."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool
from torch import Tensor, nn

BENDS: dict[type[nn.Module], tuple[float, ...]] = {  # inputs at which the slope jumps
    nn.ReLU: (0.0,), nn.LeakyReLU: (0.0,), nn.PReLU: (0.0,), nn.RReLU: (0.0,), nn.ReLU6: (0.0, 6.0),
    nn.Hardswish: (-3.0, 3.0), nn.Hardsigmoid: (-3.0, 3.0), nn.Hardtanh: (-1.0, 1.0), nn.SELU: (0.0,),
}  # fmt: skip
MAXIMA = (nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d, nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d)


@dataclass(frozen=True, slots=True)
class Crossing:
    """A unit that stands on one side of its kink before a move and on the other after it."""

    layer: str  # dotted name
    kind: str
    unit: tuple[int, ...]  # its place in the layer's input, or output of a pooling: sample first

    def __str__(self) -> str:
        return f"{self.layer or 'the module itself'} ({self.kind}), unit {list(self.unit)}"


class KinkWatch:
    """Sees on which side of their kinks all units of a network stand. Kinks in functions outside of modules stay unseen."""

    def __init__(self, model: nn.Module) -> None:
        self.layers = [(n, m) for n, m in model.named_modules() if type(m) in BENDS or isinstance(m, MAXIMA)]

    def sides(self, run: Callable[[], Any]) -> list[tuple[str, str, Tensor]]:
        """Of every such layer in the order of their calls: name, kind, and the sides of its units after `run`."""
        seen: list[tuple[str, str, Tensor]] = []
        with self._hooked(seen), torch.no_grad():
            run()
        return seen

    def crossings(self, before: Callable[[], Any], after: Callable[[], Any]) -> list[Crossing]:
        """Units that change sides from one run to another."""
        found = []
        for (name, kind, a), (_, _, b) in zip(self.sides(before), self.sides(after), strict=True):
            for unit in (a != b).nonzero().tolist():
                found.append(Crossing(name, kind, tuple(unit)))
        return found

    @contextmanager
    def _hooked(self, seen: list[tuple[str, str, Tensor]]) -> Iterator[None]:
        def watch(name: str) -> Any:
            def hook(module: nn.Module, inputs: tuple[Tensor, ...], output: Any) -> None:
                seen.append((name, type(module).__name__, _sides(module, inputs[0])))

            return hook

        handles = [module.register_forward_hook(watch(name)) for name, module in self.layers]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()


def _sides(module: nn.Module, x: Tensor) -> Tensor:
    """How many bends lie below each input; or which position won."""
    if type(module) in BENDS:
        below: Bool[Tensor, " *shape"] = torch.stack([x > bend for bend in BENDS[type(module)]])
        return below.sum(0)
    return _winners(module, x)


def _winners(module: Any, x: Tensor) -> Tensor:
    """The indices that a pooling would return."""
    dimensions = type(module).__name__[-2]
    if isinstance(module, nn.AdaptiveMaxPool1d | nn.AdaptiveMaxPool2d):
        pool = getattr(nn.functional, f"adaptive_max_pool{dimensions}d")
        return pool(x, module.output_size, return_indices=True)[1]
    pool = getattr(nn.functional, f"max_pool{dimensions}d")
    return pool(
        x, module.kernel_size, module.stride, module.padding, module.dilation, module.ceil_mode, return_indices=True
    )[1]
