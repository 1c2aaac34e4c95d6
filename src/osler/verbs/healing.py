"""`osler train --heal`: tries the recipe on a part of the data, mends what the doctor finds, and then trains for good."""

import math
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console
from rich.text import Text

from osler.data.selecting import few
from osler.doctor.observing import DoctorObserver
from osler.doctor.recipe_remedies import next_change
from osler.structures.errors import TrainingError
from osler.structures.finding import Diagnosis, Finding
from osler.training.loop import fit
from osler.training.observer import Epoch, Observer
from osler.training.state import Training
from osler.verbs.announcing import console_for
from osler.verbs.preparing import Wishes, prepare
from osler.verbs.run import Run
from osler.verbs.train import train_prepared

SAMPLES, EPOCHS = 1_024, 2  # of a trial
TRIALS = 8


@dataclass(frozen=True, slots=True)
class Healed:
    """A change of the recipe: the finding behind it, the word that changed, and what it brought in a short trial."""

    fault: str
    evidence: str
    key: str
    before: str
    after: str
    metric: str
    score_before: float
    score_after: float

    def __str__(self) -> str:
        brought = f"{self.metric} {self.score_before:.4g} to {self.score_after:.4g} in a short trial"
        return f"{self.fault} ({self.evidence}): {self.key}={self.before} became {self.after}; {brought}"


@dataclass(frozen=True, slots=True)
class _Tried:
    """A short trial of a recipe."""

    diagnosis: Diagnosis | None
    score: float
    metric: str
    values: dict[str, object]


class _Score(Observer):
    """Keeps the last validation's figure."""

    def __init__(self) -> None:
        self.score = math.nan

    def epoch_ended(self, training: Training, epoch: Epoch) -> None:
        self.score = epoch.validation.get(training.task.monitor, math.nan)


def heal(wishes: Wishes, *, out: str | Path | None = None, quiet: bool = False) -> Run:
    """Trains with the recipe, after mending what the doctor finds in short trials on a part of the data.

    Each trial has the doctor beside it. A finding that a key of the recipe can mend changes that key, and the next trial
    starts anew; what does not make the score better is taken back. The run's recipe is the healed one, and its report
    tells what was found, what was changed, and what it brought.

    Raises:
        OslerError: as for `train`.
    """
    console = console_for(quiet)
    words: dict[str, str] = {}
    chain: list[Healed] = []
    taken: set[tuple[str, str]] = set()
    now = _trial(wishes, words)
    for _ in range(TRIALS):
        change = _change(now, taken)
        if change is None:
            break
        finding, key, word = change
        taken.add((key, word))
        then = _trial(wishes, {**words, key: word})
        healed = Healed(
            finding.fault, finding.evidence, key, str(now.values.get(key)), word, then.metric, now.score, then.score
        )
        _tell(console, healed, kept=_better(then, now, finding))
        if _better(then, now, finding):
            words[key] = word
            chain.append(healed)
            now = then
    final = replace(wishes, last=(*wishes.last, *(f"{k}={v}" for k, v in words.items())))
    return train_prepared(prepare(final), out=out, quiet=quiet, notes=[f"healed: {each}" for each in chain])


def _trial(wishes: Wishes, words: dict[str, str]) -> _Tried:
    """Some epochs on a part of the data under the doctor."""
    last = (*wishes.last, *(f"{k}={v}" for k, v in words.items()), f"train.epochs={EPOCHS}", "train.workers=0")
    prepared = prepare(replace(wishes, last=last), lambda source: few(source, SAMPLES))
    doctor, score = DoctorObserver(None, "a short trial"), _Score()
    try:
        fit(prepared.training, [doctor, score])
    except TrainingError:  # a loss that is no number: the doctor has seen it
        score.score = math.nan
    values: dict[str, object] = {key: value for key, value, _ in prepared.training.recipe.rows()}
    return _Tried(doctor.diagnosis, score.score, prepared.training.task.monitor, values)


def _change(tried: _Tried, taken: set[tuple[str, str]]) -> tuple[Finding, str, str] | None:
    """The first finding that a key can mend in a way that was not tried; consequences after their causes."""
    if tried.diagnosis is None:
        return None
    counted = [f for f in tried.diagnosis.findings if f.counts]
    for finding in [*counted, *(c for f in counted for c in f.consequences)]:
        change = next_change(finding.fault, tried.values, taken)
        if change is not None:
            return finding, *change
    return None


def _better(then: _Tried, now: _Tried, finding: Finding) -> bool:
    """Whether the score rose, or the fault is gone and the score did not fall."""
    if not math.isfinite(then.score):
        return False
    faults = {f.fault for f in then.diagnosis.findings if f.counts} if then.diagnosis else set()
    gone = finding.fault not in faults
    if not math.isfinite(now.score):
        return True
    gain = then.score - now.score
    return gain > 0.01 or (gone and gain > -0.02)


def _tell(console: Console, healed: Healed, *, kept: bool) -> None:
    head = ("healed  ", "bold green") if kept else ("tried   ", "dim")
    console.print(Text.assemble(head, str(healed), "" if kept else "; taken back"))
