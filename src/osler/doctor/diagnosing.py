"""From evidence to a diagnosis: every check looks, causes take their consequences under them, the gravest stand first."""

from dataclasses import replace

from osler.doctor.case import Case
from osler.doctor.causes import fold
from osler.doctor.fault import NotSeen, all_checks
from osler.doctor.script_reading import ScriptReading
from osler.doctor.story import story
from osler.doctor.taught_answers import with_taught_answers
from osler.structures.finding import SEVERITIES, Diagnosis, Finding, Skipped
from osler.vitals.evidence import Evidence

PER_FAULT = 3  # findings of one fault that are told; of more the surest


def diagnose(evidence: Evidence) -> Diagnosis:
    """All findings about what was seen."""
    case = Case(with_taught_answers(evidence), ScriptReading(evidence.source, evidence.script))
    diagnosis = Diagnosis(evidence.script, ending=evidence.ending.how)
    findings: list[Finding] = []
    for name, check in all_checks().items():
        try:
            seen = sorted(check.look(case), key=_rank)
        except NotSeen as missing:
            diagnosis.skipped.append(Skipped(name, str(missing)))
        except Exception as error:  # a check that breaks must not take the others with it
            diagnosis.skipped.append(Skipped(name, f"the check itself failed: {type(error).__name__}: {error}"))
        else:
            findings += _without_repeats(seen)[:PER_FAULT]
    diagnosis.findings = sorted(fold(findings), key=_rank)
    diagnosis.story = story(evidence)
    return diagnosis


def _rank(finding: Finding) -> tuple[int, float]:
    return SEVERITIES.index(finding.severity), -finding.certainty


def _without_repeats(findings: list[Finding]) -> list[Finding]:
    """The same fault at the same line is told once."""
    kept: dict[tuple[str | None, int | None], Finding] = {}
    for finding in findings:
        key = (finding.where.file, finding.where.line) if finding.where.line else (finding.where.layer, None)
        if key not in kept:
            kept[key] = replace(finding)
    return list(kept.values())
