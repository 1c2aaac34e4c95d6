"""Inputs are far larger or smaller than what a fresh network is made for."""

import math
from collections.abc import Iterator

from osler.doctor import thresholds
from osler.doctor.case import Case
from osler.doctor.data_lines import assigns, calls_any, converts, line_of, nearest
from osler.doctor.fault import Fault, NotSeen, check
from osler.doctor.input_size import InputSize
from osler.doctor.provenance import Step
from osler.structures.finding import Finding, Remedy

FAULT = Fault(
    name="input-not-scaled",
    category="data",
    phase="before",
    title="Inputs are not scaled",
    symptom="The loss jumps at first and then stands still, or only a tiny learning rate works.",
    cause=(
        "Weights are drawn for inputs with a mean near 0 and a spread near 1. Pixels of 0 to 255 or features in their raw units "
        "make the first layer's sums a hundred times too large: steps overshoot, units saturate or die, and features with "
        "large units drown the others."
    ),
    seen_by=(
        "the root mean square of the inputs is over 20, or their whole range is under 0.02, the first layer is no "
        "normalisation, and nothing scales them inside of the network"
    ),
    remedies=(
        Remedy(
            "scale the inputs", "Divide pixels by 255, or subtract the training data's mean and divide by its spread."
        ),
        Remedy("normalise in the network", "Begin the network with a BatchNorm or LayerNorm layer."),
    ),
    sources=(
        "LeCun, Bottou, Orr, Mueller 1998 (Efficient BackProp), section 4.3",
        "theorangeduck.com, My Neural Network isn't working: data not normalised",
        "the doctor's own calibration of the limits on sick, mended and healthy scripts",
    ),
)


@check(FAULT)
def look(case: Case) -> Iterator[Finding]:
    """Looks at the first input of the network that learns most."""
    model = case.models[0]
    size = InputSize.of(case, model)
    if size is None:
        raise NotSeen("no inputs of numbers were seen")
    if size.normalised or size.scaled_inside:
        return
    large = size.rms >= thresholds.INPUT_RMS
    tiny = size.high - size.low < thresholds.INPUT_RANGE_TINY and size.rms < thresholds.INPUT_RANGE_TINY
    if not large and not (tiny and not size.constant):
        return
    steps = case.lines.inputs(model)
    step = nearest(steps, _to_float, converts, calls_any("DataLoader"), assigns)
    site = next((c.site for c in model.calls if c.moment == "train"), None)
    place = case.line(line_of(step), size.layer) if step is not None else case.where(site, size.layer)
    change = "Divide the pixels by 255 where they become float32." if _bytes(size) else None
    expected = f"the first layer, {size.layer or 'without a name'}, is drawn for a root mean square near 1"
    yield FAULT.found(
        f"inputs lie between {size.low:.4g} and {size.high:.4g}, with a root mean square of {size.rms:.4g}; {expected}",
        where=place,
        certainty=0.9 if large else 0.75,
        severity="critical" if large else "warning",
        change=change,
    )


def _to_float(step: Step) -> bool:
    """Where whole numbers, or any, become float32: the place at which to scale them."""
    return any(
        word in step.text
        for word in ("float32", ".float()", "FloatTensor(", "torch.Tensor(", "dtype=float", "torch.float)")
    )


def _bytes(size: InputSize) -> bool:
    return size.low >= 0 and 200 < size.high <= 255 and math.isfinite(size.high)
