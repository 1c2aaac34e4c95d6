"""What the trials showed, told at the findings: what helped first, what was tried in vain last, what came to light since."""

from collections.abc import Sequence
from dataclasses import replace
from difflib import SequenceMatcher
from typing import TYPE_CHECKING

from osler.structures.finding import Diagnosis, Finding, Where

if TYPE_CHECKING:
    from osler.doctor.mending.proving import Proving, Tried


def told(diagnosis: Diagnosis, proving: "Proving") -> tuple[list[Finding], list[str]]:
    """The findings with what was tried, those that the mended program showed behind its own; and the story with its end."""
    own = list(diagnosis.findings)
    there = {f.fault for f in own} | {c.fault for f in own for c in f.consequences}
    tried_for = {each.fault for each in proving.tried}
    for finding in proving.seen:
        if finding.fault not in there and finding.fault in tried_for:
            there.add(finding.fault)
            own.append(_at_home(finding, diagnosis, proving))
    findings = [_with_remedies(f, [t for t in proving.tried if t.fault == f.fault]) for f in own]
    return findings, [*diagnosis.story, *_ends(proving, [f.fault for f in diagnosis.findings if f.counts])]


def _ends(proving: "Proving", faults: Sequence[str]) -> list[str]:
    """What the proof came to, in sentences."""
    mended = {each.fault for each in proving.tried if each.helped}
    left = {f.fault for f in proving.now.diagnosis.findings if f.counts}
    gone = [fault for fault in faults if fault not in mended | left] if mended else []
    sentences = []
    if gone:
        sentences.append(f"Gone once {', '.join(sorted(mended))} was mended: {', '.join(gone)}.")
    if proving.stopped:
        sentences.append(f"Not every remedy was tried: {proving.stopped}.")
    return sentences


def _with_remedies(finding: Finding, tried: Sequence["Tried"]) -> Finding:
    """What helped first, then what was not tried, then what was tried in vain."""
    names = {each.remedy.remedy for each in tried}
    helped = [each.remedy for each in tried if each.helped]
    vain = [each.remedy for each in tried if not each.helped]
    rest = [r for r in finding.remedies if r.remedy not in names]
    return replace(finding, remedies=(*helped, *rest, *vain))


def _at_home(finding: Finding, diagnosis: Diagnosis, proving: "Proving") -> Finding:
    """A finding about the mended program, with its line in the person's own file where it stands there too."""
    line = finding.where.line
    if line is not None:
        line = line_before(proving.original, proving.now.source, line)
    file = diagnosis.script if line is not None else finding.where.file
    return replace(finding, where=Where(file, line, finding.where.layer))


def line_before(original: str, mended: str, line: int) -> int | None:
    """The line of the original that is this line of the mended text; None where it is new or changed."""
    matcher = SequenceMatcher(None, original.splitlines(), mended.splitlines(), autojunk=False)
    for tag, first, _, start, end in matcher.get_opcodes():
        if tag == "equal" and start <= line - 1 < end:
            return first + line - start
    return None
