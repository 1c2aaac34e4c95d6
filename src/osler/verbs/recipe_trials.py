"""Short trainings of a recipe on a part of the data under the doctor, and the words that mend what it finds there."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from pydantic import BaseModel

from osler.data.selecting import few
from osler.doctor.observing import DoctorObserver
from osler.doctor.recipe_remedies import changes
from osler.structures.errors import OslerError, RecipeError, TrainingError
from osler.structures.finding import Diagnosis, Finding
from osler.structures.healing import TriedChange
from osler.training.loop import fit
from osler.training.observer import Epoch, Observer
from osler.training.recipe import Origin, ResolvedRecipe
from osler.training.state import Training
from osler.verbs.preparing import Wishes, prepare

SAMPLES, EPOCHS = 1_024, 4  # of a trial; no more epochs than the recipe's own
TRIALS = 12  # beside those of the recipe as it was given
LEAST_GAIN, LEAST_SHARE = (
    0.05,
    0.01,
)  # of what is missing to a perfect figure, or of a loss; of a share such as accuracy
COMPANIONS = {"model.initialisation": "model.initialisation_options", "train.schedule": "train.schedule_options"}
RARE_CLASSES = frozenset({"class-imbalance", "precision-recall-imbalance"})  # judged by the mean recall of the classes

# What so few updates on so few samples cannot tell.
TOO_SHORT = frozenset({"too-few-samples", "undertrained", "overfitting", "scheduler-misused", "train-eval-gap"})


@dataclass(frozen=True, slots=True)
class RecipeTrial:
    """What a short training showed: the findings, and the figures of its last validation."""

    diagnosis: Diagnosis | None
    scores: Mapping[str, float]
    metric: str
    direction: Literal["min", "max"]
    recipe: ResolvedRecipe
    steps: int = 0
    problem: str = ""  # why it came to no figure

    def score(self, fault: str) -> tuple[str, float, bool]:
        """The figure by which a remedy for a fault is judged: its name, value, and whether more is better."""
        if fault in RARE_CLASSES and "recall" in self.scores:
            return "recall", self.scores["recall"], True
        return self.metric, self.scores.get(self.metric, math.nan), self.direction == "max"

    @property
    def findings(self) -> list[Finding]:
        """What counts, causes before their consequences."""
        if self.diagnosis is None:
            return []
        counted = [f for f in self.diagnosis.findings if f.counts and f.fault not in TOO_SHORT]
        return [*counted, *(c for f in counted for c in f.consequences)]

    @property
    def faults(self) -> set[str]:
        """The names of all that counts."""
        return {f.fault for f in self.findings}


@dataclass(slots=True)
class Mending:
    """A recipe's trials: as it was given, each change in turn, and the words of those that helped."""

    before: RecipeTrial
    after: RecipeTrial
    words: dict[str, str] = field(default_factory=dict)
    tried: list[TriedChange] = field(default_factory=list)
    stopped: str = ""  # why no more was tried, where something was left to try
    interrupted: bool = False  # by Ctrl-C, during a trial

    @property
    def kept(self) -> list[TriedChange]:
        """The changes that helped, in the order in which they were made."""
        return [each for each in self.tried if each.kept]


class _Figures(Observer):
    """Keeps the last epoch's figures: the validation's, or the training's losses where there is none."""

    def __init__(self) -> None:
        self.scores: dict[str, float] = {}
        self.update = 0

    def epoch_ended(self, training: Training, epoch: Epoch) -> None:
        self.scores = epoch.validation or {f"training {name}": value for name, value in epoch.train.items()}
        self.update = epoch.update


def mend(
    wishes: Wishes,
    *,
    known: Diagnosis | None = None,
    say: Callable[[str], None] = lambda text: None,
    tell: Callable[[TriedChange], None] = lambda tried: None,
    spent: Callable[[], bool] = lambda: False,
) -> Mending:
    """Tries the recipe, and then, one after another, words for what the doctor finds; what does not help is taken back.

    Every trial starts anew from the same seed, with the same samples for the same epochs.

    Args:
        wishes: the recipe as the person gave it.
        known: what is known of it from a whole training: its findings are mended before those of the trials.
        say: told what is about to be tried.
        tell: told what came of a change.
        spent: whether the time is over; asked before each trial.

    Raises:
        OslerError: as for `train`, where the recipe as it was given cannot be trained.
    """
    say("the recipe as it is")
    now = try_recipe(wishes, {})
    mending = Mending(now, now)
    spread: dict[str, float] | None = None
    seen: set[tuple[str, str]] = set()  # tried since the last change that helped
    try:
        for _ in range(TRIALS):
            change = _next(mending.after, known, mending, seen)
            if change is None:
                return mending
            if spent():
                break
            if spread is None:
                say("the same with another seed, for the spread by chance")
                spread = _spread(wishes, now)
            finding, key, word = change
            say(f"{finding.fault}: {key}={word}")
            then, tried = _try(wishes, mending.after, mending.words, change, spread)
            mending.tried.append(tried)
            tell(tried)
            seen.add((key, word))
            if tried.kept:
                mending.words |= _with_companion(mending.after, key, word)
                mending.after, seen = then, set()
    except KeyboardInterrupt:
        mending.stopped, mending.interrupted = "stopped by Ctrl-C", True
        return mending
    mending.stopped = "the time for trials is over" if spent() else f"{TRIALS} changes were tried"
    return mending


def _next(
    now: RecipeTrial, known: Diagnosis | None, mending: Mending, seen: set[tuple[str, str]]
) -> tuple[Finding, str, str] | None:
    """The first finding that a word can mend which was not tried in this place."""
    rows = {key: (value, origin) for key, value, origin in now.recipe.rows()}
    mended = {each.fault for each in mending.kept}
    whole = [f for f in known.findings if f.counts and f.fault not in mended] if known is not None else []
    for finding in [*whole, *now.findings]:
        for key, word in changes(finding.fault, rows):
            if (key, word) not in seen and mending.words.get(key) != word:
                return finding, key, word
    return None


def _try(
    wishes: Wishes,
    now: RecipeTrial,
    words: Mapping[str, str],
    change: tuple[Finding, str, str],
    spread: Mapping[str, float],
) -> tuple[RecipeTrial, TriedChange]:
    finding, key, word = change
    try:
        then = try_recipe(wishes, {**words, **_with_companion(now, key, word)})
    except OslerError as error:
        then = replace(now, scores={}, problem=f"not possible: {error}")
    name, old, higher = now.score(finding.fault)
    new = then.scores.get(name, math.nan)
    after = plainly(then.recipe, key) if word == "auto" and not then.problem else word
    kept = _helped(finding, then, (old, new), spread.get(name, 0.0), higher=higher)
    tried = TriedChange(
        finding.fault,
        finding.evidence,
        key,
        plainly(now.recipe, key),
        after,
        name,
        old,
        new,
        kept,
        then.steps,
        then.problem,
    )
    return then, tried


def _helped(finding: Finding, then: RecipeTrial, scores: tuple[float, float], spread: float, *, higher: bool) -> bool:
    """Whether the figure is better beyond chance, or the fault gone and the figure no worse."""
    old, new = scores
    if not math.isfinite(new):
        return False
    if not math.isfinite(old):
        return True
    share = higher and 0 <= old <= 1
    least = max(LEAST_SHARE, LEAST_GAIN * (1 - old)) if share else LEAST_GAIN * abs(old)
    gain = (new - old) if higher else (old - new)
    by = max(spread, least)
    return gain > by or (finding.fault not in then.faults and gain >= -least)


def _spread(wishes: Wishes, now: RecipeTrial) -> dict[str, float]:
    """How far each figure of the recipe as it is lies from itself under another seed."""
    other = try_recipe(wishes, {"seed": str(now.recipe.recipe.seed + 1)})
    apart = {name: abs(other.scores.get(name, math.nan) - value) for name, value in now.scores.items()}
    return {name: value for name, value in apart.items() if math.isfinite(value)}


def try_recipe(wishes: Wishes, words: Mapping[str, str]) -> RecipeTrial:
    """Some epochs on a part of the data, with words over what the person said, under the doctor.

    Raises:
        OslerError: as for `train`; a loss that is no number is a figure that is missing, not an error.
    """
    epochs = min(EPOCHS, wishes.resolved().recipe.train.epochs)
    last = (*wishes.last, *words_of(words), f"train.epochs={epochs}", "train.workers=0", "train.patience=0")
    prepared = prepare(replace(wishes, last=last), lambda source: few(source, SAMPLES))
    training = prepared.training
    doctor, figures = DoctorObserver(None, "a short trial"), _Figures()
    problem = ""
    try:
        fit(training, [doctor, figures])
    except RecipeError:
        raise
    except TrainingError as error:
        problem = str(error)
        figures.scores = {}
    metric, direction = training.monitor, training.direction
    if figures.scores and metric not in figures.scores:
        metric, direction = next(iter(figures.scores)), "min"
    return RecipeTrial(doctor.diagnosis, figures.scores, metric, direction, training.recipe, figures.update, problem)


def words_of(words: Mapping[str, str]) -> Iterator[str]:
    """As a person would write them: key=value."""
    return (f"{key}={value}" for key, value in words.items())


def _with_companion(now: RecipeTrial, key: str, word: str) -> dict[str, str]:
    """A word, and its options emptied where they belong to the value that goes."""
    companion = COMPANIONS.get(key)
    return {key: word} | ({companion: "{}"} if companion and now.recipe.value(companion) else {})


def plainly(recipe: ResolvedRecipe, key: str) -> str:
    """The value of a key as a person would write it."""
    value: Any = recipe.value(key)
    if isinstance(value, BaseModel):
        value = value.model_dump()
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{name}: {_plain(each)}" for name, each in value.items()) + "}"
    return _plain(value)


def _plain(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_plain, value)) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def on_record(recipe: ResolvedRecipe, kept: Sequence[TriedChange]) -> ResolvedRecipe:
    """The recipe with the reason of each change at its key."""
    origins = dict(recipe.origins)
    for each in kept:
        chosen = recipe.origin(each.key)
        why = f"; {chosen.reason}" if chosen.who == "automatic" and chosen.reason else ""
        origins[each.key] = Origin(
            "automatic", f"healed: {each.fault} with {each.before}; {each.outcome} in a short trial{why}"
        )
    return replace(recipe, origins=origins)
