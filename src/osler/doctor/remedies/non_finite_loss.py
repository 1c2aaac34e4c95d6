"""Losses that are no number: the operation kept off its edge, functions that combine both steps, smaller steps."""

import re
from collections.abc import Iterator

from osler.doctor.case import Case
from osler.doctor.edge_lines import edge_at
from osler.doctor.mending.edge_edit import guard_line, subtract_largest, use_combined
from osler.doctor.mending.number_edit import third
from osler.doctor.mending.prescription import Prescription, prescribes
from osler.doctor.mending.rate_edit import most_used, scale_rates
from osler.doctor.mending.script_edit import CannotEditError, ScriptEdit
from osler.doctor.mending.statement_edit import loops_around
from osler.doctor.remedies.gradients import clipped
from osler.structures.finding import Finding

CHOICE = "edge"
MOST_LINES = 4


@prescribes("non-finite-loss")
def prescribe(finding: Finding, case: Case) -> Iterator[Prescription]:
    """The edge first where there is one; where the loss grew before, smaller steps first."""
    lines = _lines(finding, case)
    at_edge = list(_off_the_edge(case, lines)) if lines else []
    grew = "grown" in finding.evidence or finding.certainty <= 0.6
    if grew:
        yield from _smaller_steps(case)
    yield from at_edge
    if not grew:
        if finding.evidence.startswith("the loss"):
            yield _skipped(case)
        yield from _smaller_steps(case)


def _lines(finding: Finding, case: Case) -> list[int]:
    """The lines with operations that were at their edge, the finding's own first."""
    suspect = edge_at(case)
    lines = [finding.where.line] if finding.where.line else []
    lines += [suspect.line] if suspect is not None else []
    lines += [e.site.line for e in case.evidence.edges if e.made_bad or e.at_edge]
    return list(dict.fromkeys(lines))[:MOST_LINES]


def _off_the_edge(case: Case, lines: list[int]) -> Iterator[Prescription]:
    bad = any(e.made_bad for e in case.evidence.edges)
    told = " and ".join(map(str, lines[:1]))

    def guard(edit: ScriptEdit, *, clamp: bool) -> None:
        found = [guard_line(edit, line, clamp=clamp) for line in _own_statements(edit, lines)]
        if not any(found):
            raise CannotEditError("No operation with an edge stands there.")

    yield Prescription(
        "stable functions", f"Use the function that takes both steps of line {told} at once.",
        lambda e: use_combined(e, lines[0]), choice=CHOICE,
    )  # fmt: skip
    yield Prescription(
        "stable functions", f"Subtract the largest value before the exponential at line {told}.",
        lambda e: subtract_largest(e, lines[0]), choice=CHOICE,
    )  # fmt: skip
    ways = [
        Prescription(
            "keep away from the edge", f"Add a small number to what line {told} takes the root, the logarithm or the divisor of.",
            lambda e: guard(e, clamp=False), choice=CHOICE,
        ),
        Prescription(
            "hold within bounds", f"Hold what line {told} takes the root, the logarithm or the exponential of within its bounds.",
            lambda e: guard(e, clamp=True), choice=CHOICE,
        ),
    ]  # fmt: skip
    yield from reversed(ways) if bad else ways


def _own_statements(edit: ScriptEdit, lines: list[int]) -> list[int]:
    """One line of each statement."""
    return list({id(edit.statement(line)): line for line in lines}.values())


def _smaller_steps(case: Case) -> Iterator[Prescription]:
    yield clipped(case)
    optimizer = most_used(case)
    rate = max((rate for _, rate in optimizer.rates), default=0.0)
    if rate > 0:
        yield Prescription(
            "lower the rate", f"Set the learning rate to {third(rate * 0.1)} in place of {rate:g}.",
            lambda e: scale_rates(e, case, optimizer, 0.1), choice="learning rate",
        )  # fmt: skip


def _skipped(case: Case) -> Prescription:
    """Batches whose loss is no number are passed over, where `backward` stands in a loop."""

    def change(edit: ScriptEdit) -> None:
        sites = [b.site for b in sorted(case.evidence.backwards, key=lambda b: -b.calls) if b.site is not None]
        if not sites:
            raise CannotEditError("It is not known where gradients are computed.")
        statement = edit.statement(sites[0].line)
        named = re.fullmatch(r"(\w+)\.backward\(\)", edit.code(statement).partition("#")[0].strip())
        if named is None or not loops_around(edit, statement):
            raise CannotEditError("The loss has no name, or stands in no loop.")
        edit.insert_before(sites[0].line, f"if not torch.isfinite({named[1]}):\n    continue")

    return Prescription("skip such batches", "Leave out batches whose loss is no number.", change, choice=CHOICE)
