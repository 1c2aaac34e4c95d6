"""Remedies tried in order, alone and on top of those that helped, and the diff of what helped."""

import re
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

from osler.doctor.case import Case
from osler.doctor.mending.headline import Headline, headlines
from osler.doctor.mending.judging import clearly_better, in_vain, judge
from osler.doctor.mending.prescription import Prescription, edited, prescriptions
from osler.doctor.mending.script_edit import unified_diff
from osler.doctor.mending.side_by_side import threads, workers
from osler.doctor.mending.told import told
from osler.doctor.mending.trial import Processes, Terms, Trial, run_trial
from osler.doctor.script_reading import ScriptReading
from osler.structures.finding import Diagnosis, Finding, Proof, Remedy

TIMES = 9.0  # the sick program's own time that all trials together may take, where no budget is given
LEAST_TIME, LEAST_AFTER_A_CRASH = (
    20.0,
    120.0,
)  # seconds of all trials: a program that crashed told not how long it takes
FINDINGS_TRIED, REMEDIES_TRIED = 4, 4  # of one program at one time; of one finding
TOGETHER = 3  # remedies that helped not alone, tried in company
SLOWEST, STARTING = (
    6.0,
    30.0,
)  # a trial's longest time: so many times the sick program's, and seconds to start on a busy machine


@dataclass(frozen=True, slots=True)
class Stage:
    """The program as far as it is mended: its text, what was seen of it, and its figures."""

    source: str
    case: Case
    diagnosis: Diagnosis
    figures: dict[str, Headline]


@dataclass(frozen=True, slots=True)
class Tried:
    """A remedy that was tried."""

    fault: str
    remedy: Remedy
    helped: bool


@dataclass(slots=True)
class Proving:
    """What was tried, and what came of it."""

    terms: Terms
    original: str
    until: float  # the clock's time at which no further trial begins
    now: Stage
    say: Callable[[str], None]
    at_once: int
    noise: dict[str, float] | None = None  # how far each figure lies from itself under another seed; None: not yet seen
    tried: list[Tried] = field(default_factory=list)
    choices: set[str] = field(default_factory=set)  # groups of which one was taken
    seen: list[Finding] = field(default_factory=list)  # what the program shows once others are mended
    stopped: str = ""
    processes: Processes = field(default_factory=Processes)

    @property
    def spent(self) -> bool:
        """Whether the time is over."""
        return time.perf_counter() > self.until

    def trials(self, sources: list[str]) -> list[Trial]:
        """Some sources run side by side, as cores and memory allow."""
        at_once = min(len(sources), self.at_once)
        left = max(1.0, self.until - time.perf_counter())
        terms = replace(self.terms, limit=min(self.terms.limit, left + STARTING), threads=threads(at_once))
        with ThreadPoolExecutor(at_once) as pool:
            try:
                return list(pool.map(lambda source: run_trial(source, terms, self.processes), sources))
            except KeyboardInterrupt:
                self.processes.end()
                raise


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
    seconds; else they take nine times what the sick program took. `say` is told what is tried. Ctrl-C ends the trials:
    what was proved until then is told.
    """
    proving = _begin(diagnosis, case, path, arguments, budget, say)
    given_up: set[str] = set()
    try:
        while finding := _next(proving.now, given_up):
            if proving.spent:
                proving.stopped = "the time for trials was over"
                break
            if not _mend(proving, finding):
                given_up.add(finding.fault)
        else:
            _together(proving, given_up)
    except KeyboardInterrupt:
        proving.stopped = "Ctrl-C ended the trials"
    mended = proving.now.source if proving.now.source != proving.original else None
    patch = unified_diff(proving.original, mended, str(path)) if mended is not None else None
    findings, story = told(diagnosis, proving)
    return replace(diagnosis, findings=findings, story=story, patch=patch, mended=mended)


def _begin(
    diagnosis: Diagnosis,
    case: Case,
    path: Path,
    arguments: Sequence[str],
    budget: float | None,
    say: Callable[[str], None],
) -> Proving:
    evidence = case.evidence
    seconds = max(1.0, evidence.seconds)
    endless = evidence.ending.how == "budget"
    least = LEAST_AFTER_A_CRASH if evidence.ending.how == "crashed" else LEAST_TIME
    allowed = budget if budget is not None else max(TIMES * seconds, least)
    slowest = SLOWEST * seconds + STARTING
    limit = max(slowest, least, allowed) if budget is not None else max(slowest, least)
    terms = Terms(path, arguments, limit, seconds if endless else None)
    now = Stage(evidence.source, case, diagnosis, headlines(evidence))
    return Proving(terms, evidence.source, time.perf_counter() + allowed, now, say, workers())


def _next(now: Stage, given_up: set[str]) -> Finding | None:
    """The finding to mend next: causes stand first."""
    counted = [f for f in now.diagnosis.findings if f.counts][:FINDINGS_TRIED]
    return next((f for f in counted if f.fault not in given_up), None)


def _options(proving: Proving, finding: Finding) -> list[Prescription]:
    """What can be tried against a finding: nothing that was taken, or is excluded by what was taken."""
    vain = {each.remedy.remedy for each in proving.tried if each.fault == finding.fault and not each.helped}
    offered = prescriptions(finding, proving.now.case)
    return [p for p in offered if p.choice not in proving.choices and p.remedy not in vain][:REMEDIES_TRIED]


def _mend(proving: Proving, finding: Finding) -> bool:
    """Tries what there is against a finding, and takes the first that helps: of those that exclude it the better one."""
    pending = _options(proving, finding)
    while pending and not proving.spent:
        size = max(1, proving.at_once - (proving.noise is None))  # beside the first ones runs the other seed
        group, pending = pending[:size], pending[size:]
        results = _run(proving, finding, group)
        helped = [(p, trial, proof) for p, trial, proof, good in results if good]
        for prescription, trial, proof, good in results:
            if not good:
                remedy = Remedy(prescription.remedy, in_vain(prescription, trial, proof), proof)
                proving.tried.append(Tried(finding.fault, remedy, helped=False))
        if helped:
            _take(proving, finding, *_best(proving, helped))
            return True
    return False


def _run(
    proving: Proving, finding: Finding, group: list[Prescription]
) -> list[tuple[Prescription, Trial, Proof | None, bool]]:
    """Some prescriptions tried, each on top of what is mended; the first time beside the program with another seed."""
    edits = [(p, edited(proving.now.source, [p])) for p in group]
    ready = [(p, edit.source) for p, edit in edits if edit is not None and edit.changed]
    sources = [source for _, source in ready]
    other = _with_other_seed(proving.now.source) if proving.noise is None else None
    if other is not None:
        proving.say("the same program with another seed, for the spread by chance")
        sources.append(other)
    for prescription, _ in ready:
        proving.say(f"{finding.fault}: {prescription.remedy}")
    trials = proving.trials(sources) if sources else []
    if proving.noise is None:
        proving.noise = _noise(proving.now.figures, trials.pop()) if other is not None else {}
    endless = proving.terms.budget is not None
    return [
        (p, trial, *judge(finding, p, trial, proving.now.figures, proving.noise, endless=endless))
        for (p, _), trial in zip(ready, trials, strict=True)
    ]


def _best(
    proving: Proving, helped: list[tuple[Prescription, Trial, Proof | None]]
) -> tuple[Prescription, Trial, Proof | None]:
    """The first that helped, or one that excludes it and is clearly better."""
    best = helped[0]
    for each in helped[1:]:
        noise = (proving.noise or {}).get(each[2].metric, 0.0) if each[2] is not None else 0.0
        excludes = bool(each[0].choice) and each[0].choice == helped[0][0].choice
        if excludes and clearly_better(each[2], best[2], proving.now.figures, noise):
            best = each
    return best


def _take(proving: Proving, finding: Finding, prescription: Prescription, trial: Trial, proof: Proof | None) -> None:
    """Goes on from the program as this remedy made it, with what was seen of it."""
    proving.tried.append(Tried(finding.fault, Remedy(prescription.remedy, prescription.change, proof), helped=True))
    if prescription.choice:
        proving.choices.add(prescription.choice)
    seen = trial.evidence()
    assert seen is not None
    evidence, diagnosis = seen
    figures = {name: Headline(name, value, higher) for name, (value, higher) in trial.figures.items()}
    case = Case(evidence, ScriptReading(evidence.source, evidence.script))
    proving.now = Stage(evidence.source, case, diagnosis, figures)
    proving.seen += [f for f in diagnosis.findings if f.counts]


def _together(proving: Proving, given_up: set[str]) -> None:
    """The likeliest remedies of the findings that none mended alone, all at once: faults may hide one another."""
    counted = [f for f in proving.now.diagnosis.findings if f.counts and f.fault in given_up][:TOGETHER]
    first = [(f, p) for f in counted for p in _first(proving, f)]
    chosen = [p for _, p in first]
    if len(chosen) < 2 or proving.spent:
        return
    edit = edited(proving.now.source, chosen)
    if edit is None:
        return
    proving.say(f"together: {', '.join(p.remedy for p in chosen)}")
    trial = proving.trials([edit.source])[0]
    endless = proving.terms.budget is not None
    judged = [judge(f, p, trial, proving.now.figures, proving.noise or {}, endless=endless) for f, p in first]
    proof = judged[0][0]
    if all(good for _, good in judged) and proof is not None:
        for finding, prescription in first:
            proving.tried = [t for t in proving.tried if t.remedy.remedy != prescription.remedy]
            _take(proving, finding, prescription, trial, proof)


def _first(proving: Proving, finding: Finding) -> list[Prescription]:
    offered = prescriptions(finding, proving.now.case)
    return [p for p in offered if not p.choice or p.choice not in proving.choices][:1]


def _with_other_seed(source: str) -> str | None:
    """The program with other seeds; None where it sets none."""
    other = re.sub(
        r"(\b(?:manual_seed|seed|default_rng|seed_everything)\(\s*)(\d+)", lambda m: f"{m[1]}{int(m[2]) + 1}", source
    )
    other = re.sub(r"(?mi)^(\s*seed\s*=\s*)(\d+)", lambda m: f"{m[1]}{int(m[2]) + 1}", other)
    return other if other != source else None


def _noise(figures: dict[str, Headline], trial: Trial) -> dict[str, float]:
    """How far the figures lie from those under another seed."""
    import math

    return {
        name: abs(value - figures[name].value)
        for name, (value, _) in trial.figures.items()
        if name in figures and math.isfinite(value) and math.isfinite(figures[name].value)
    }
