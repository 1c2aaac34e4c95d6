"""Remedies tried in order, alone and on top of those that helped, and the diff of what helped."""

import math
import os
import re
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

from osler.doctor.case import Case
from osler.doctor.mending.headline import Headline, headlines
from osler.doctor.mending.prescription import Prescription, edited, prescriptions
from osler.doctor.mending.script_edit import unified_diff
from osler.doctor.mending.trial import Trial, run_trial
from osler.structures.finding import Diagnosis, Finding, Proof, Remedy

TIMES = 9.0  # the sick program's own time that all trials together may take
FINDINGS_TRIED, REMEDIES_TRIED = 4, 4  # of one program; of one finding
LEAST_GAIN = 0.05  # share of what is missing to a perfect figure, or of a loss, that counts as better
SLOWEST = 4.0  # times as long as the sick program, after which a trial is stopped

# Their figures are falsely good, so that a remedy makes them worse: these count as mended when they are gone.
FALSELY_GOOD = frozenset(
    {
        "train-test-leak", "wrong-metric", "validation-augmented", "train-mode-in-evaluation", "corrupt-sample", "batch-mixing",
        "precision-recall-imbalance",
    }
)  # fmt: skip


@dataclass(slots=True)
class Proving:
    """What was tried, and what came of it."""

    path: Path
    arguments: Sequence[str]
    case: Case
    until: float  # the clock's time at which no further trial begins
    limit: float  # seconds of a trial
    noise: dict[str, float] = field(default_factory=dict)  # how far each figure lies from itself under another seed
    say: Callable[[str], None] = lambda text: None

    def trials(self, sources: list[str]) -> list[Trial]:
        """Some sources run side by side, as cores allow."""
        with ThreadPoolExecutor(max(1, min(len(sources), os.cpu_count() or 1, 2))) as pool:
            return list(pool.map(lambda s: run_trial(s, self.path, self.arguments, self.limit), sources))

    @property
    def spent(self) -> bool:
        """Whether the time is over."""
        return time.perf_counter() > self.until


def prove(
    diagnosis: Diagnosis,
    case: Case,
    path: Path,
    arguments: Sequence[str] = (),
    *,
    budget: float | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> Diagnosis:
    """The diagnosis with proofs at the remedies that helped, and one diff of them all.

    The person's files are never touched: every trial runs in a copy of the folder. `budget` bounds all trials, in
    seconds; else nine times what the sick program took. `say` is told what is tried.
    """
    seconds = max(1.0, case.evidence.seconds)
    began = time.perf_counter()
    proving = Proving(path, arguments, case, began + (budget or TIMES * seconds), SLOWEST * seconds + 10, say=say)
    counted = [f for f in diagnosis.findings if f.counts][:FINDINGS_TRIED]
    options = {id(f): prescriptions(f, case)[:REMEDIES_TRIED] for f in counted}
    if not any(options.values()):
        return diagnosis
    proving.noise = _noise(proving)
    figures = headlines(case.evidence)
    chosen: list[Prescription] = []
    findings = list(diagnosis.findings)
    for finding in counted:
        if proving.spent:
            say("the time for trials is over")
            break
        told, taken = _try(proving, finding, options[id(finding)], chosen, figures)
        findings[findings.index(finding)] = told
        if taken is not None:
            prescription, trial = taken
            chosen.append(prescription)
            figures = {name: Headline(name, value, higher) for name, (value, higher) in trial.figures.items()}
            if not trial.faults:
                break
    final = edited(case.evidence.source, chosen) if chosen else None
    patch = unified_diff(case.evidence.source, final.source, str(path)) if final is not None else None
    return replace(diagnosis, findings=findings, patch=patch)


def _try(
    proving: Proving,
    finding: Finding,
    options: list[Prescription],
    chosen: list[Prescription],
    before: dict[str, Headline],
) -> tuple[Finding, tuple[Prescription, Trial] | None]:
    """The finding with what was tried, and the first prescription that helped on top of those chosen already."""
    remedies: list[Remedy] = []
    pending = [p for p in options if not p.choice or p.choice not in {c.choice for c in chosen}]
    while pending and not proving.spent:
        group, pending = pending[:2], pending[2:]
        sources = [(p, edited(proving.case.evidence.source, [*chosen, p])) for p in group]
        ready = [(p, edit.source) for p, edit in sources if edit is not None and edit.changed]
        for prescription, _ in ready:
            proving.say(f"{finding.fault}: {prescription.remedy}")
        for (prescription, _), trial in zip(ready, proving.trials([source for _, source in ready]), strict=True):
            proof, helped = _judge(proving, finding, prescription, trial, before)
            if helped:
                taken = Remedy(prescription.remedy, prescription.change, proof)
                rest = [r for r in finding.remedies if r.remedy != prescription.remedy]
                return replace(finding, remedies=(taken, *rest)), (prescription, trial)
            remedies.append(Remedy(prescription.remedy, _told(prescription, trial, proof), proof))
    kept = [r for r in finding.remedies if r.remedy not in {t.remedy for t in remedies}]
    return replace(finding, remedies=(*kept, *remedies)), None


def _judge(
    proving: Proving, finding: Finding, prescription: Prescription, trial: Trial, before: dict[str, Headline]
) -> tuple[Proof | None, bool]:
    """What a trial shows, and whether it helped: a figure better beyond chance, or the fault gone with no figure worse."""
    if trial.ending not in ("finished", "exited"):
        return None, False
    gone = finding.fault not in trial.faults
    shared = [name for name in before if name in trial.figures and not (prescription.changes_loss and "loss" in name)]
    if not shared:
        return None, gone
    name = shared[0]
    old, new = before[name], Headline(name, *trial.figures[name])
    proof = Proof(name, old.value, new.value, trial.steps)
    if finding.fault in FALSELY_GOOD:
        return proof, gone
    by = max(proving.noise.get(name, 0.0), _least(old))
    better, worse = new.beats(old, by), old.beats(new, by)
    return proof, better or (gone and not worse)


def _least(figure: Headline) -> float:
    """The least gain that counts: a share of what is missing, or of the figure itself where less is better."""
    if not math.isfinite(figure.value):
        return 0.0
    room = abs(1 - figure.value) if figure.higher_is_better and 0 <= figure.value <= 1 else abs(figure.value)
    return LEAST_GAIN * room


def _told(prescription: Prescription, trial: Trial, proof: Proof | None) -> str:
    """A remedy that was tried in vain, said to be so."""
    if trial.ending == "crashed":
        return f"{prescription.change} Tried: the program then crashed ({trial.error[:160]})."
    if trial.ending == "budget":
        return f"{prescription.change} Tried: it took too long."
    shown = f" ({proof.metric} {proof.before:.4g} to {proof.after:.4g})" if proof is not None else ""
    return f"{prescription.change} Tried: it did not help{shown}."


def _noise(proving: Proving) -> dict[str, float]:
    """How far the sick program's figures move under another seed; nothing where it sets none."""
    source = proving.case.evidence.source
    other = re.sub(r"(manual_seed\(\s*)(\d+)", lambda m: f"{m[1]}{int(m[2]) + 1}", source)
    if other == source:
        return {}
    proving.say("the same program with another seed, for the spread by chance")
    trial = proving.trials([other])[0]
    now = headlines(proving.case.evidence)
    return {
        name: abs(value - now[name].value)
        for name, (value, _) in trial.figures.items()
        if name in now and math.isfinite(value) and math.isfinite(now[name].value)
    }
