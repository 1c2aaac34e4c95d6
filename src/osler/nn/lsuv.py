"""Layer-sequential unit variance: weights are scaled on pictures until each layer puts out variance 1.

Mishkin and Matas 2015, "All you need is a good init" (arXiv 1511.06422), algorithm 1: weights start orthonormal; then,
layer by layer from the input on, each weight is divided by the standard deviation of the layer's outputs on a
mini-batch, until their variance is within a tolerance of 1 or the tries are used up.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import cycle
from typing import Annotated, Any

import torch
from annotated_types import Gt, Lt
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase

from osler.nn.fans import Layer, is_layer

SILENT = 1e-20  # variance between pictures below which scaling would only blow up rounding errors


@torch.no_grad()
def unit_variance(
    model: nn.Module,
    images: Float[Tensor, "pictures channels height width"],
    *,
    tolerance: Annotated[float, Gt(0), Lt(1)] = 0.1,
    tries: Annotated[int, Gt(0)] = 10,
    batch: Annotated[int, Gt(1)] = 64,
) -> list[str]:
    """Scales the weights of linear layers and convolutions in place; returns what a person should know.

    A layer is linear in its weight, so its outputs are corrected along with it, and the layers behind it see them at
    once: one forward pass does for all layers what the paper does in one pass a layer. Passes with fresh mini-batches
    follow until nothing is left to correct. Biases are scaled along; they start at 0.

    Args:
        model: the network, on the device of the pictures. Modes and running statistics stay as they are.
        images: standardised training pictures.
        tolerance: of the variance, around 1.
        tries: passes at most.
        batch: pictures a pass.
    """
    scaling = _Scaling(model, tolerance)
    batches = [b for b in images.split(batch) if len(b) == min(batch, len(images))]
    with _measured(model), scaling.hooked():
        for _, some in zip(range(tries), cycle(batches), strict=False):
            scaling.begin()
            model(some)
            if not scaling.corrected:
                break
    return scaling.notes(tries)


class _Scaling:
    """The layers of a network, and which of them a pass has seen and corrected."""

    def __init__(self, model: nn.Module, tolerance: float) -> None:
        weights: dict[int, tuple[str, Layer]] = {}
        for name, module in model.named_modules():
            if is_layer(module):
                weights.setdefault(id(module.weight), (name, module))  # a shared weight is scaled for its first owner
        self.names = {module: name for name, module in weights.values()}
        self.tolerance = tolerance
        self.begin()

    def begin(self) -> None:
        """A new pass."""
        self.seen: set[nn.Module] = set()
        self.corrected: list[str] = []
        self.silent: list[str] = []

    @contextmanager
    def hooked(self) -> Iterator[None]:
        """Every layer's outputs come by `correct`."""
        handles = [layer.register_forward_hook(self.correct) for layer in self.names]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def correct(self, layer: Layer, _inputs: Any, output: Tensor) -> Tensor | None:
        """The layer's outputs at variance 1, and its weight to match. Of a layer that is used again, the first use counts."""
        if layer in self.seen:
            return None
        self.seen.add(layer)
        if not float(output.float().var(0, correction=0).mean()) > SILENT:
            self.silent.append(self.names[layer])
            return None
        variance = output.float().var(correction=0)
        if abs(float(variance) - 1) < self.tolerance:
            return None
        scale = variance.rsqrt().to(output.dtype)
        for parameter in (layer.weight, layer.bias):
            if parameter is not None:
                parameter.mul_(scale.to(parameter.dtype))
        self.corrected.append(self.names[layer])
        return output * scale

    def notes(self, tries: int) -> list[str]:
        """What could not be done."""
        said = []
        if self.corrected:
            said.append(f"LSUV: after {tries} tries the variance still moves in {', '.join(self.corrected)}.")
        if self.silent:
            said.append(f"LSUV: {', '.join(self.silent)} put out one value for all pictures, and were not scaled.")
        unseen = [name for layer, name in self.names.items() if layer not in self.seen]
        if unseen:
            said.append(f"LSUV: {', '.join(unseen)} were not called, and were not scaled.")
        return said


@contextmanager
def _measured(model: nn.Module) -> Iterator[None]:
    """Batch norm sees the mini-batch and auxiliary heads answer, as in training, but nothing is dropped; all is put back."""
    modes = {module: module.training for module in model.modules()}
    buffers = [(buffer, buffer.clone()) for buffer in model.buffers()]
    model.train()
    for module in model.modules():
        if not isinstance(module, _NormBase) and next(module.children(), None) is None:
            module.train(False)
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode
        for buffer, value in buffers:
            buffer.copy_(value)
