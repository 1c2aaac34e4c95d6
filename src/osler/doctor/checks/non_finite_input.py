"""NaN or infinity enters the network."""

from collections.abc import Iterator

import numpy as np

from osler.doctor.case import Case
from osler.doctor.data_lines import calls_any, converts, line_of, nearest, scales
from osler.doctor.fault import Fault, check
from osler.structures.finding import Finding, Remedy

FAULT = Fault(
    name="non-finite-input",
    category="data",
    phase="before",
    title="Inputs hold NaN or infinity",
    symptom="The loss is NaN from some step on, and every weight soon is.",
    cause=(
        "A logarithm of 0, a division by a spread of 0, or a gap in a table gives a value that is not finite. One such value "
        "makes the sample's output, the loss, all gradients and after the next update all weights NaN."
    ),
    seen_by=(
        "a batch that a training call was given holds a value that is not finite, and what the network made of "
        "it is not finite either"
    ),
    remedies=(
        Remedy(
            "repair the values", "Use log1p or add a small number before log, skip columns without spread, fill gaps."
        ),
        Remedy("stop early", "Test a batch with torch.isfinite(x).all() where it is loaded."),
    ),
    sources=(
        "Schoop, Huang, Hartmann 2021 (UMLAUT): NaN in input",
        "Braiek and Khomh 2022 (TheDeepChecker): data must be finite",
    ),
)
MAKING = ("log", "log10", "log2", "sqrt", "reciprocal", "divide", "arccos", "acos", "power", "log_")
READING = ("read_csv", "genfromtxt", "loadtxt", "load", "full", "nan", "where")


@check(FAULT)
def look(case: Case) -> Iterator[Finding]:
    """Looks at what every network was given, and put out, while it was trained."""
    for model in case.models:
        calls = [c for c in model.calls if c.moment == "train" and c.inputs]
        bad = [c for c in calls if c.inputs[0].bad]
        if bad and all(c.output is not None and not c.output.bad for c in bad):
            continue  # the network fills the gaps itself
        rows = case.data(model).train.values
        holed = ~np.isfinite(rows).all(1) if rows.dtype.kind == "f" else np.zeros(len(rows), bool)
        if not bad and not (holed.any() and any(c.output is not None and c.output.bad for c in calls)):
            continue
        steps = case.lines.inputs(model)
        step = nearest(
            steps,
            calls_any(*MAKING),
            lambda s: "nan" in s.text or "inf" in s.text,
            scales,
            calls_any(*READING),
            converts,
        )
        first = next((x.name for x in case.layers(model) if x.leaf and x.parameters), None)
        site = next((c.site for c in bad or calls), None)
        yield FAULT.found(
            _said(bad, calls, holed),
            where=case.line(line_of(step), first) if step is not None else case.where(site, first),
            certainty=0.97,
        )


def _said(bad: list, calls: list, holed: np.ndarray) -> str:
    if bad:
        values = sum(c.inputs[0].bad for c in bad)
        total = sum(c.inputs[0].count for c in bad)
        return f"{len(bad)} of {len(calls)} training batches looked at hold NaN or infinity, {values:,} of {total:,} values in them"
    return f"{int(holed.sum()):,} of {len(holed):,} training samples hold NaN or infinity"
