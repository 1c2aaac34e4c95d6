"""Two normalisations in a row leave inputs almost without spread."""

from collections.abc import Iterator

from osler.doctor import thresholds
from osler.doctor.case import Case
from osler.doctor.data_lines import calls_any, count_scalings, line_of, nearest, scales
from osler.doctor.fault import Fault, NotSeen, check
from osler.doctor.input_size import InputSize
from osler.doctor.provenance import Step
from osler.structures.finding import Finding, Remedy

FAULT = Fault(
    name="input-scaled-twice",
    category="data",
    phase="before",
    title="Inputs are normalised twice",
    symptom="Nothing crashes, but the network learns slowly or not at all, as if all pictures were the same.",
    cause=(
        "What was already brought to a range of 0 to 1, or to mean 0 and spread 1, is divided by 255, or by the raw data's spread, "
        "once more. Samples then differ by a few thousandths, which the biases and the noise of training drown."
    ),
    seen_by=(
        "the inputs' range is under 0.15 and their spread under 0.05, and the script scales more than once on their way; "
        "pictures need no second scaling in sight"
    ),
    remedies=(
        Remedy("drop one normalisation", "Keep the one that sees the raw data, and remove the other."),
        Remedy("look at one batch", "Print the mean, the spread and the range of what enters the network."),
    ),
    sources=(
        "Braiek and Khomh 2022 (TheDeepChecker), pre-training checks of the data",
        "the doctor's own calibration: what a second division by 16 or more leaves of [0, 1]",
    ),
)


@check(FAULT)
def look(case: Case) -> Iterator[Finding]:
    """Looks at the spread of the first input, and at how often the script scales it."""
    model = case.models[0]
    size = InputSize.of(case, model)
    if size is None:
        raise NotSeen("no inputs of numbers were seen")
    narrow = size.high - size.low < thresholds.TWICE_RANGE and size.spread < thresholds.TWICE_SPREAD
    if size.constant or not narrow or size.scaled_inside or _normalised_first(case, model.name):
        return
    steps = case.lines.inputs(model)
    scalings = [s for s in steps if scales(s) and not _inside_of_another(s, steps)]
    count = sum(count_scalings(s) for s in scalings)
    picture = len(case.data(model).shape) == 3
    if count < 2 and not picture:
        return
    step = nearest(scalings or steps, scales, calls_any("DataLoader"))
    seen = (
        f"the script scales them {count} times on their way" if count >= 2 else "pictures usually span 0 to 1 or more"
    )
    yield FAULT.found(
        f"inputs lie between {size.low:.5g} and {size.high:.5g}, with a spread of {size.spread:.2g} within a channel; {seen}",
        where=case.line(line_of(step), size.layer),
        certainty=0.92 if count >= 2 else 0.75,
        severity="critical",
    )


def _normalised_first(case: Case, name: str) -> bool:
    model = next(m for m in case.models if m.name == name)
    layers = [x for x in case.layers(model) if x.leaf and (x.parameters or "Norm" in x.kind)]
    return bool(layers) and "Norm" in layers[0].kind


def _inside_of_another(step: Step, steps: list[Step]) -> bool:
    """Whether the step is a part of a longer one that is counted as well."""
    return any(other is not step and step.node in _parts(other) and scales(other) for other in steps)


def _parts(step: Step) -> list[object]:
    import ast

    return list(ast.walk(step.node))
