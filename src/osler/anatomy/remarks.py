"""What stands out in a network's anatomy, each with its numbers and where."""

from collections.abc import Iterator
from math import prod

from osler.anatomy.layer import Anatomy, Layer, Remark

SMALL_SIGHT = 0.5  # of the picture's side
LARGE_SIGHT = 4.0  # times the picture's side
CONCENTRATED = 0.5  # of all parameters
EARLY = 0.25  # of the convolutions
SMALL_MAP = 8  # positions a side
FEW_VALUES = 20  # times fewer than the picture has
FEW_CONVOLUTIONS = 8  # a network of fewer shrinks its map early by nature
SHOWN = 3

NORMS = ("BatchNorm1d", "BatchNorm2d", "BatchNorm3d", "SyncBatchNorm")


def remarks_on(anatomy: Anatomy) -> tuple[Remark, ...]:
    """Everything that stands out, the most telling first."""
    found = (
        _kernels_beyond_the_map(anatomy),
        _shrinks_early(anatomy),
        _bottleneck_early(anatomy),
        _sight(anatomy),
        _concentrated(anatomy),
        _biases_before_norms(anatomy),
        _never_looked_at(anatomy),
    )
    return tuple(remark for remarks in found for remark in remarks)


def _names(layers: list[Layer]) -> str:
    some = ", ".join(layer.path for layer in layers[:SHOWN])
    return f"{some} and {len(layers) - SHOWN} more" if len(layers) > SHOWN else some


def _convolutions(anatomy: Anatomy) -> list[Layer]:
    return [layer for layer in anatomy.layers if any(w.way == "convolution" for w in layer.windows)]


def _kernels_beyond_the_map(anatomy: Anatomy) -> Iterator[Remark]:
    """Of a 3x3 kernel on a map of 1x1 only the middle ever meets the picture; the rest multiplies padding."""
    wasted = []
    for layer in _convolutions(anatomy):
        use = layer.windows[0]
        if any(
            p > 0 and n <= d * (k // 2)
            for n, k, p, d in zip(use.input, use.kernel, use.padding, use.dilation, strict=True)
        ):
            wasted.append(layer)
    if wasted:
        use = wasted[-1].windows[0]
        yield Remark(
            "kernels larger than the map",
            f"in {_names(wasted)} the outer weights meet only padding (a kernel of {'x'.join(map(str, use.kernel))} on a map "
            f"of {'x'.join(map(str, use.input))}): give larger pictures, or a network that shrinks less.",
            tuple(layer.path for layer in wasted),
        )


def _shrinks_early(anatomy: Anatomy) -> Iterator[Remark]:
    """A small map within the first quarter of the convolutions leaves little for the rest to look at."""
    convolutions = [layer for layer in _convolutions(anatomy) if _has_positions(layer)]
    if len(convolutions) < FEW_CONVOLUTIONS or len(anatomy.picture) < 2:
        return
    for number, layer in enumerate(convolutions[: int(EARLY * len(convolutions))]):
        if max(layer.windows[0].input) <= SMALL_MAP < min(anatomy.picture):
            sides = "x".join(map(str, layer.windows[0].input))
            yield Remark(
                "the map shrinks early",
                f"the map is {sides} before {layer.path}, the {_ordinal(number + 1)} of {len(convolutions)} convolutions: "
                "most of the network looks at a thumbnail. Give larger pictures, or a stem with smaller strides.",
                (layer.path,),
            )
            return


def _bottleneck_early(anatomy: Anatomy) -> Iterator[Remark]:
    """Few values in the first half, where nothing goes round them.

    Szegedy et al. 2016 ("Rethinking the Inception architecture", section 2, principle 1) advise against it.
    """
    convolutions = _convolutions(anatomy)
    if len(convolutions) < FEW_CONVOLUTIONS or not anatomy.input_shapes:
        return
    picture = prod(anatomy.input_shapes[0][1:])
    middle = convolutions[len(convolutions) // 2].index
    last_use = _last_uses(anatomy)
    reach = last_use.get(-1, -1)  # the last layer that still takes something from before
    for layer in anatomy.layers[:middle]:
        values = prod(layer.output_shape[1:])
        if reach <= layer.index and _has_positions(layer) and values * FEW_VALUES < picture:
            yield Remark(
                "few values early",
                f"all that {layer.path} hands on are {values:,} values, of a picture's {picture:,}, and half of the "
                "convolutions are still to come: more channels, or a later stride, would keep more.",
                (layer.path,),
            )
            return
        reach = max(reach, last_use.get(layer.index, -1))


def _last_uses(anatomy: Anatomy) -> dict[int, int]:
    """For each layer the last one that takes its output."""
    return {source: layer.index for layer in anatomy.layers for source in layer.inputs}


def _has_positions(layer: Layer) -> bool:
    """Whether its output is still a map."""
    sees = layer.sees
    return sees is not None and bool(sees.sides) and all(side.jump is not None for side in sees.sides)


def _ordinal(number: int) -> str:
    ending = "th" if 10 <= number % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def _sight(anatomy: Anatomy) -> Iterator[Remark]:
    """The last map with positions: what one of them sees, against the picture."""
    maps = [layer for layer in anatomy.layers if _has_positions(layer)]
    if not maps or not _convolutions(anatomy) or maps[-1].sees is None:
        return
    last, sees = maps[-1], maps[-1].sees
    ratio = min(side.pixels / side.length for side in sees.sides)
    numbers = f"{'x'.join(map(str, sees.size))} pixels of a picture of {'x'.join(map(str, anatomy.picture))}"
    if ratio < SMALL_SIGHT and not sees.beyond:
        yield Remark(
            "a small receptive field",
            f"a position of the last map ({last.path or last.kind}) sees {numbers}: larger things are seen only in parts. "
            "Strides, dilation or more layers widen it; smaller pictures do too.",
            (last.path,),
        )
    elif ratio > LARGE_SIGHT:
        yield Remark(
            "a large receptive field",
            f"a position of the last map ({last.path or last.kind}) sees {numbers}: {ratio:.1f} times its side. "
            "Most of it is padding; the depth buys features here, not sight.",
            (last.path,),
        )


def _concentrated(anatomy: Anatomy) -> Iterator[Remark]:
    largest = max(anatomy.layers, key=lambda layer: layer.size, default=None)
    if largest is None or len([layer for layer in anatomy.layers if layer.size]) < 3:
        return
    part = largest.size / anatomy.parameters if anatomy.parameters else 0
    if part >= CONCENTRATED:
        advice = (
            " A mean over the map in place of the flattening would need few (Lin, Chen and Yan 2014)."
            if "Linear" in largest.kind and len(_convolutions(anatomy)) > 0
            else ""
        )
        yield Remark(
            "parameters in one layer",
            f"{largest.path} holds {largest.size:,} of {anatomy.parameters:,} parameters ({100 * part:.0f} %).{advice}",
            (largest.path,),
        )


def _biases_before_norms(anatomy: Anatomy) -> Iterator[Remark]:
    """A batch norm subtracts the mean, and with it any constant that was added before."""
    users: dict[int, list[Layer]] = {}
    for layer in anatomy.layers:
        for source in layer.inputs:
            users.setdefault(source, []).append(layer)
    idle = [
        layer
        for layer in anatomy.layers
        if layer.biases and layer.multiply_adds and users.get(layer.index)
        if all(user.kind in NORMS for user in users[layer.index])
    ]
    if idle:
        total = sum(layer.biases for layer in idle)
        yield Remark(
            "biases before batch norms",
            f"{total:,} biases ({_names(idle)}) are subtracted again by the batch norm that follows: bias=False does the same.",
            tuple(layer.path for layer in idle),
        )


def _never_looked_at(anatomy: Anatomy) -> Iterator[Remark]:
    """Where windows do not come out even, the last rows of the map itself, not only of its padding, may lie under none."""
    short = [layer for layer in anatomy.layers if any(w.unseen for w in layer.windows)]
    if short:
        use = next(w for w in short[0].windows if w.unseen)
        lines = "row and column" if use.unseen == 1 else f"{use.unseen} rows and columns"
        yield Remark(
            "pixels that no window reaches",
            f"in {_names(short)} the windows do not come out even: of a map of {'x'.join(map(str, use.input))} the last "
            f"{lines} lie under none ({use.formulas[0]}).",
            tuple(layer.path for layer in short),
        )
