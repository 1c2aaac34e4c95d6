"""A fault of the catalogue: its page, and the making of findings about it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Literal

from osler.structures.finding import Finding, Remedy, Series, Severity, Where

if TYPE_CHECKING:
    from osler.doctor.case import Case

Category = Literal["data", "model", "optimisation", "evaluation"]
Phase = Literal["before", "during", "after"]  # of training: when enough is known


class NotSeen(Exception):  # noqa: N818 (no error: a check that cannot look says what it missed)
    """A check lacks something that it needs; the text says what, as in "no labels were seen"."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What is known of a fault, as its page tells it."""

    name: str
    category: Category
    phase: Phase
    title: str
    symptom: str  # what the person sees
    cause: str  # what happens inside, and why it hurts
    seen_by: str  # by which figures the check tells it, with the threshold
    remedies: tuple[Remedy, ...]  # the likeliest first
    sources: tuple[str, ...]  # author, year, section; or the measurement of ours

    def found(
        self,
        evidence: str,
        *,
        severity: Severity = "critical",
        where: Where | None = None,
        certainty: float = 0.8,
        change: str | None = None,
        series: tuple[Series, ...] = (),
    ) -> Finding:
        """A finding. `change` says the likeliest remedy in this program's own names, in place of the page's words."""
        remedies = self.remedies
        if change is not None and remedies:
            remedies = (Remedy(remedies[0].remedy, change), *remedies[1:])
        return Finding(self.name, severity, evidence, where or Where(), remedies, certainty, series)


Look = Callable[["Case"], Iterator[Finding]]


@dataclass(frozen=True, slots=True)
class Check:
    """A fault and how it is looked for."""

    fault: Fault
    look: Look


_CHECKS: dict[str, Check] = {}


def check(fault: Fault) -> Callable[[Look], Look]:
    """Registers the function below as the one that looks for `fault`.

    It reads a `Case` and yields findings, none where all is well; it raises `NotSeen` where it cannot look. It never
    changes the case.
    """

    def register(look: Look) -> Look:
        assert fault.name not in _CHECKS, fault.name
        _CHECKS[fault.name] = Check(fault, look)
        return look

    return register


def all_checks() -> dict[str, Check]:
    """Every check by its fault's name, in alphabetical order. The files of `doctor/checks` are read at the first call."""
    from osler.doctor import checks

    for module in iter_modules(checks.__path__):
        import_module(f"{checks.__name__}.{module.name}")
    return dict(sorted(_CHECKS.items()))
