"""What can be tried against a finding: an edit of the script, in the order of likelihood."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from pkgutil import iter_modules

import libcst as cst

from osler.doctor.case import Case
from osler.doctor.fault import NotSeen
from osler.doctor.mending.script_edit import CannotEditError, ScriptEdit
from osler.structures.finding import Finding

Edit = Callable[[ScriptEdit], None]


@dataclass(frozen=True, slots=True)
class Prescription:
    """A remedy as an edit.

    `edit` changes a `ScriptEdit`, or raises `CannotEditError` where the script has not the form that it knows. Two
    prescriptions of one `choice` exclude each other: only the better one is taken.
    """

    remedy: str  # its name, as on the fault's page
    change: str  # what it changes, in a sentence with this program's names
    edit: Edit
    choice: str = ""
    changes_loss: bool = False  # whether losses before and after cannot be compared


Prescribe = Callable[[Finding, Case], Iterator[Prescription]]
_BY_FAULT: dict[str, Prescribe] = {}


def prescribes(*faults: str) -> Callable[[Prescribe], Prescribe]:
    """Registers the function below as the one that knows remedies for these faults.

    It yields prescriptions, the likeliest and cheapest first, none where the finding gives no hold.
    """

    def register(prescribe: Prescribe) -> Prescribe:
        for fault in faults:
            assert fault not in _BY_FAULT, fault
            _BY_FAULT[fault] = prescribe
        return prescribe

    return register


def prescriptions(finding: Finding, case: Case) -> list[Prescription]:
    """All that can be tried against a finding, those that cannot be written as an edit of this script left out."""
    from osler.doctor import remedies

    for module in iter_modules(remedies.__path__):
        import_module(f"{remedies.__name__}.{module.name}")
    prescribe = _BY_FAULT.get(finding.fault)
    if prescribe is None:
        return []
    kept = []
    for prescription in _listed(prescribe, finding, case):
        edit = edited(case.evidence.source, [prescription])
        if edit is not None and edit.changed:
            kept.append(prescription)
    return kept


def _listed(prescribe: Prescribe, finding: Finding, case: Case) -> list[Prescription]:
    offered: list[Prescription] = []
    with suppress(CannotEditError, NotSeen, LookupError):
        for prescription in prescribe(finding, case):
            offered.append(prescription)  # what came before an error is kept
    return offered


def edited(source: str, chosen: list[Prescription]) -> ScriptEdit | None:
    """The script with some prescriptions carried out; None where one of them cannot be."""
    try:
        edit = ScriptEdit(source)
        for prescription in chosen:
            prescription.edit(edit)
        compile(edit.source, "script", "exec")
    except (
        CannotEditError,
        NotSeen,
        cst.ParserSyntaxError,
        SyntaxError,
        LookupError,
        ValueError,
        TypeError,
        AttributeError,
    ):
        return None
    return edit
