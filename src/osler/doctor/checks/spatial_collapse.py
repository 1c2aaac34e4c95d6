"""Convolutions look at a map of a single place."""

import math
from collections.abc import Iterator

from osler.doctor import thresholds
from osler.doctor.case import Case
from osler.doctor.fault import Fault, check
from osler.doctor.layer_places import calling_line, where_called, where_made
from osler.structures.finding import Finding, Remedy, Where
from osler.vitals.evidence import LayerSeen, ModelSeen

FAULT = Fault(
    name="spatial-collapse",
    category="model",
    phase="during",
    title="The feature map shrinks to a point too early",
    symptom="More convolutions do not help; or an error says that the kernel, or the output of a pooling, has no room.",
    cause=(
        "Strides and pooling have reduced the picture to one place before the last convolutions. Of their kernels only the middle "
        "weight meets a value, all others meet padding: they cannot see shapes, and where things were is lost."
    ),
    seen_by=(
        f"convolutions with kernels wider than 1 get maps of one place: at least {thresholds.COLLAPSED:.0%} of such "
        "convolutions; or the program stopped because a map was smaller than a kernel"
    ),
    remedies=(
        Remedy("reduce less", "Leave out a pooling, or give a convolution stride 1."),
        Remedy("use larger pictures", "Feed pictures of the size for which the network was made."),
    ),
    sources=(
        "NeuraLint (Nikanjam et al. 2021): the feature map must be large enough for filter and pooling",
        "He et al. 2016, section 4.2: networks for pictures of 32 pixels keep their resolution in the first layers",
    ),
)

CONVOLUTIONS = ("Conv1d", "Conv2d", "Conv3d", "LazyConv1d", "LazyConv2d", "LazyConv3d")


@check(FAULT)
def look(case: Case) -> Iterator[Finding]:
    """Looks at the size of the map that each convolution reads."""
    for model in case.models:
        layers = case.layers(model)
        wide = [x for x in layers if x.kind in CONVOLUTIONS and x.input_shape and _kernel(x) > 1]
        blind = [x for x in wide if x.input_shape and math.prod(x.input_shape[2:]) == 1]
        if not blind or _picture(model) < thresholds.PICTURE:
            continue
        share, first = len(blind) / len(wide), blind[0]
        kernel = _kernel(first)
        places = kernel ** len((first.input_shape or ())[2:])
        yield FAULT.found(
            f"{len(blind)} of {len(wide)} convolutions, from {first.name} on, read a map of one place: "
            f"{places - 1} of the {places} weights of each kernel meet only padding; the picture had "
            f"{_picture(model)} pixels a side",
            severity="warning" if share >= thresholds.COLLAPSED else "note",
            where=_place(case, layers, first),
            certainty=0.9,
            change=f"Leave out a pooling or a stride before {first.name}, so that it sees a map of several places.",
        )


def _kernel(layer: LayerSeen) -> int:
    size = layer.options.get("kernel_size", 1)
    return max(size) if isinstance(size, tuple) else int(size)


def _picture(model: ModelSeen) -> int:
    return max((max(c.inputs[0].shape[2:], default=0) for c in model.calls[:1] if c.inputs), default=0)


def _place(case: Case, layers: list[LayerSeen], blind: LayerSeen) -> Where:
    """Where the first blind convolution is; its line is that of the reduction before it, if a layer of the program made it."""
    before = [x for x in layers if (x.order or 0) < (blind.order or 0) and x.input_shape and x.output_shape]
    for layer in reversed(before):
        ins, outs = layer.input_shape or (), layer.output_shape or ()
        if len(ins) > 2 and len(outs) == len(ins) and math.prod(ins[2:]) > 1 and math.prod(outs[2:]) == 1:
            made = where_made(case, layer.name)
            return Where(made.file, made.line, blind.name) if made.line else made
    return where_called(case, blind.name) if calling_line(case, blind.name) else where_made(case, blind.name)
