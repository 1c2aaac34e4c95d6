"""An estimate of latency from a device's published peak rates: for each layer the longer of computing and of moving its bytes.

That is the roofline (Williams, Waterman and Patterson 2009). A real run reaches no peak and has to start each layer, and so is
slower; only a cache that keeps maps between layers speaks for it.
"""

import tomllib
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from importlib.resources import files
from math import prod

from osler.anatomy.layer import Anatomy, Layer
from osler.structures.errors import UnknownNameError
from osler.structures.registry import unknown

WIDTHS = {"fp32": 4, "fp16": 2, "int8": 1}  # bytes for a value


@dataclass(frozen=True, slots=True)
class Device:
    """A processor as its maker describes it."""

    name: str
    title: str
    kind: str
    rates: dict[str, float]  # operations a second by type of number, two for a multiply-add
    bandwidth: float  # bytes a second
    source: str
    on_chip: float = 0.0  # bytes that it holds itself

    @property
    def fastest(self) -> str:
        """The type of number at which it computes most."""
        return max(self.rates, key=lambda key: self.rates[key])


@dataclass(frozen=True, slots=True)
class Estimate:
    """Seconds for one picture."""

    device: Device
    precision: str
    by_layer: float  # each layer by itself, with its input read and its output written
    fused: float  # norms, activations and additions done with the layer before them
    computing: float  # of `fused`, the part in which computing is the limit, 0 to 1
    slowest: tuple[str, ...]  # layers that take longest
    fits: bool  # whether the weights fit into what the device itself holds; True where it has other memory


@cache
def devices() -> dict[str, Device]:
    """The known devices by name."""
    text = (files("osler.anatomy") / "devices.toml").read_text(encoding="utf-8")
    return {name: Device(name, **entry) for name, entry in tomllib.loads(text).items()}


def find_device(name: str) -> list[Device]:
    """The devices of that name or pattern (`jetson*`, `all`).

    Raises:
        UnknownNameError: there is none; the message offers the nearest.
    """
    found = [d for d in devices().values() if name == "all" or fnmatchcase(d.name, name)]
    if not found:
        raise UnknownNameError(unknown("device", name, list(devices())))
    return found


def estimated(anatomy: Anatomy, device: Device, *, precision: str | None = None) -> Estimate:
    """The roofline of a network on a device.

    Args:
        anatomy: of the network.
        device: see `devices`.
        precision: fp32, fp16 or int8; None: that at which the device is fastest.

    Raises:
        UnknownNameError: the device has no published rate for that precision.
    """
    precision = precision or device.fastest
    if precision not in device.rates:
        raise UnknownNameError(unknown(f"rate of {device.name}", precision, list(device.rates)))
    rate, width = device.rates[precision], WIDTHS[precision]
    held = sum(layer.size for layer in anatomy.layers) * width
    if device.on_chip:
        return _on_chip(anatomy, device, precision, held)
    times = [(layer, _operations(layer) / rate, _moved(layer) * width / device.bandwidth) for layer in anatomy.layers]
    alone = sum(max(compute, move) for _, compute, move in times)
    kept = [(layer, compute, move) for layer, compute, move in times if not _joins_the_layer_before(layer)]
    fused = sum(max(compute, move) for _, compute, move in kept)
    bound = sum(compute for _, compute, move in kept if compute >= move)
    slowest = sorted(kept, key=lambda t: -max(t[1], t[2]))[:3]
    return Estimate(
        device,
        precision,
        alone,
        fused,
        bound / fused if fused else 0.0,
        tuple(t[0].path or t[0].kind for t in slowest),
        True,
    )


def _on_chip(anatomy: Anatomy, device: Device, precision: str, held: int) -> Estimate:
    """Maps stay on the chip; the picture, the answer, and the weights that find no room come over the link."""
    rate, width = device.rates[precision], WIDTHS[precision]
    compute = [(layer, _operations(layer) / rate) for layer in anatomy.layers if not _joins_the_layer_before(layer)]
    outside = sum(prod(s) for s in anatomy.input_shapes) + (
        prod(anatomy.layers[-1].output_shape) if anatomy.layers else 0
    )
    moving = (outside * width + max(0.0, held - device.on_chip)) / device.bandwidth
    computing = sum(seconds for _, seconds in compute)
    slowest = tuple(layer.path or layer.kind for layer, _ in sorted(compute, key=lambda t: -t[1])[:3])
    total = computing + moving
    return Estimate(
        device, precision, total, total, computing / total if total else 0.0, slowest, held <= device.on_chip
    )


def _operations(layer: Layer) -> int:
    return 2 * layer.multiply_adds + layer.element_operations


def _moved(layer: Layer) -> int:
    """Values read and written: inputs, parameters, output."""
    return sum(prod(s) for s in layer.input_shapes) + layer.size + (prod(layer.output_shape) if layer.operators else 0)


def _joins_the_layer_before(layer: Layer) -> bool:
    """Whether it works value by value on what the layer before it still holds: a norm, an activation, a residual's sum."""
    return not layer.multiply_adds and not layer.windows and layer.output_shape in layer.input_shapes
