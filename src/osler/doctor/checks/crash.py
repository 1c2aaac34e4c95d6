"""The program crashed: where, and why if the error is a known one."""

from collections.abc import Iterator
from dataclasses import replace

from osler.doctor.case import Case
from osler.doctor.crash import failing_layer, read_crash
from osler.doctor.fault import Fault, all_checks, check
from osler.structures.finding import Finding, Remedy, Where

FAULT = Fault(
    name="crash",
    category="model",
    phase="during",
    title="The program crashes",
    symptom="It ends with a traceback, most often in the first step.",
    cause=(
        "Shapes, types or devices do not fit: a linear layer made for another number of inputs, labels beyond the "
        "classes, "
        "a picture without its axis of channels, a loss given the wrong type of target, a graph that was used up."
    ),
    seen_by=(
        "an exception that ended the program; its text, the layer that was running and the shapes seen before tell "
        "the likely cause"
    ),
    remedies=(
        Remedy(
            "mend the line",
            "Read the last line of the traceback that is in this program, and print shapes and types before it.",
        ),
    ),
    sources=(
        "Islam et al. 2020, Repairing deep neural networks: dimensions and types are the commonest bugs",
        "PyTorch's own error texts",
    ),
)  # fmt: skip


@check(FAULT)
def look(case: Case) -> Iterator[Finding]:
    """Reads how the program ended."""
    ending = case.evidence.ending
    if ending.how != "crashed":
        return
    reading, layer = read_crash(case), failing_layer(case)
    first_line = ending.error.strip().splitlines()[0][:300] if ending.error.strip() else "an exception without a text"
    place = (
        case.where(ending.site, (layer.name or None) if layer else None)
        if ending.site
        else Where(case.evidence.script or None)
    )
    if reading is None:
        yield FAULT.found(f"it crashed: {first_line}", where=place, certainty=0.99)
        return
    if reading.at_layer and layer is not None and layer.site is not None:
        place = case.where(layer.site, layer.name or None)
    known = all_checks().get(reading.fault)
    fault = known.fault if known is not None else FAULT
    found = fault.found(
        f"it crashed ({first_line}): {reading.cause}", where=place, certainty=0.99, change=reading.change
    )
    yield replace(found, fault=reading.fault)
