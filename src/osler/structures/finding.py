"""What a doctor says: findings, each with its evidence and remedies, and the diagnosis that holds them.

The JSON form is fixed: `script`, `verdict`, `findings` and `patch`; everything else in it may be left out by a reader.
"""

from dataclasses import dataclass, field, replace
from typing import Any, Literal

Severity = Literal["critical", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("critical", "warning", "note")  # the gravest first


@dataclass(frozen=True, slots=True)
class Where:
    """A place in a person's program, as far as it is known."""

    file: str | None = None
    line: int | None = None  # from 1
    layer: str | None = None  # as `named_modules` calls it

    def __str__(self) -> str:
        place = f"{self.file or 'line'}:{self.line}" if self.line else (self.file or "")
        return ", ".join(part for part in (place, f"layer {self.layer}" if self.layer else "") if part)

    def __bool__(self) -> bool:
        return self.line is not None or self.layer is not None


@dataclass(frozen=True, slots=True)
class Proof:
    """What a remedy did to a figure when it was tried, beside the same program without it."""

    metric: str
    before: float
    after: float
    steps: int


@dataclass(frozen=True, slots=True)
class Remedy:
    """What would help: its name, and in a sentence what to change. A proof stands only where it was tried."""

    remedy: str
    change: str
    proof: Proof | None = None


@dataclass(frozen=True, slots=True)
class Series:
    """Numbers over steps that show a finding at a glance: a small plot."""

    name: str
    steps: tuple[int, ...]
    values: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Finding:
    """A fault that a check saw. `certainty` (0 to 1) says how sure: it orders findings of the same severity."""

    fault: str
    severity: Severity
    evidence: str
    where: Where = Where()
    remedies: tuple[Remedy, ...] = ()
    certainty: float = 0.8
    series: tuple[Series, ...] = ()
    consequences: tuple["Finding", ...] = ()  # findings that this one explains

    @property
    def counts(self) -> bool:
        """Whether this finding alone makes a program sick."""
        return self.severity != "note"

    def because_of(self, *consequences: "Finding") -> "Finding":
        """This finding with those others folded under it."""
        return replace(self, consequences=(*self.consequences, *consequences))


@dataclass(frozen=True, slots=True)
class Skipped:
    """A check that could not look, and what it missed."""

    fault: str
    reason: str


@dataclass(slots=True)
class Diagnosis:
    """All findings about one program, causes first."""

    script: str
    findings: list[Finding] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    ending: str = "finished"  # finished, exited, crashed, budget, interrupted
    story: list[str] = field(default_factory=list)  # what was seen, in sentences, for people
    patch: str | None = None
    mended: str | None = None  # the script with the patch

    @property
    def sick(self) -> bool:
        """Whether some finding is critical or a warning."""
        return any(finding.counts for finding in self.findings)

    @property
    def verdict(self) -> Literal["sick", "healthy"]:
        """The whole in a word."""
        return "sick" if self.sick else "healthy"

    def as_json(self) -> dict[str, Any]:
        """The contract's form, ready for `json.dumps`."""
        return {
            "script": self.script,
            "verdict": self.verdict,
            "findings": [finding_as_json(finding) for finding in self.findings],
            "patch": self.patch,
            "story": list(self.story),
            "ending": self.ending,
            "skipped": [{"fault": skip.fault, "reason": skip.reason} for skip in self.skipped],
        }


def finding_as_json(finding: Finding) -> dict[str, Any]:
    """One finding in the contract's form; its consequences stand inside it."""
    where = {"file": finding.where.file, "line": finding.where.line, "layer": finding.where.layer}
    content: dict[str, Any] = {
        "fault": finding.fault,
        "severity": finding.severity,
        "where": {key: value for key, value in where.items() if value is not None},
        "evidence": finding.evidence,
        "remedies": [_remedy_as_json(remedy) for remedy in finding.remedies],
        "certainty": round(finding.certainty, 3),
    }
    if finding.consequences:
        content["consequences"] = [finding_as_json(each) for each in finding.consequences]
    return content


def _remedy_as_json(remedy: Remedy) -> dict[str, Any]:
    content: dict[str, Any] = {"remedy": remedy.remedy, "change": remedy.change}
    if remedy.proof is not None:
        proof = remedy.proof
        content["proof"] = {"metric": proof.metric, "before": proof.before, "after": proof.after, "steps": proof.steps}
    return content
