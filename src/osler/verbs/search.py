"""A search for hyper-parameters: a run for each trial, and on each run's record what was searched and what came of it."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from osler.lab.hyperparameters import HyperSearch, Trial, bayesian_search, grid_search, random_search
from osler.structures.errors import RecipeError, TrainingError
from osler.structures.files import write_text
from osler.training.observer import Observer
from osler.training.run_folder import RunFolder
from osler.training.state import Training
from osler.verbs.announcing import console_for
from osler.verbs.run import Run
from osler.verbs.train import train

Method = Literal["grid", "random", "bayesian"]
Space = Mapping[str, tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Search:
    """The runs of a search in their order, the one that validated best, and the values tried with their scores.

    Where a signal stopped it, the last run is the one that it stopped, which is no trial.
    """

    runs: tuple[Run, ...]
    best: Run
    trials: HyperSearch
    path: Path

    @property
    def stopped_by(self) -> str:
        """What ended the last run: "Ctrl-C" and "SIGTERM" ended the search with it."""
        return self.runs[-1].stopped_by


class _StoppedError(Exception):
    """A signal ended the run at hand, and the search with it."""


class _Score(Observer):
    """The best validation of a run by the task's own metric, the larger the better; worst where there is none."""

    def __init__(self) -> None:
        self.score, self.metric = -math.inf, ""

    def stopped(self, training: Training) -> None:
        task = training.task
        self.metric = task.monitor
        value = training.best.metrics.get(task.monitor, math.nan)
        if math.isfinite(value):
            self.score = value if task.direction == "max" else -value


def search(
    space: Space,
    *,
    method: Method = "random",
    trials: int = 8,
    out: str | Path | None = None,
    overrides: Sequence[str] = (),
    quiet: bool = False,
    **wishes: Any,
) -> Search:
    """Trains once for each trial of values of `space`, and keeps every run. Ctrl-C and SIGTERM end it with the run at hand.

    Args:
        space: for each key of the recipe its lowest and highest value, both above 0; looked at on a logarithmic scale.
        method: grid; random (Bergstra and Bengio 2012); bayesian (Snoek et al. 2012).
        trials: how many runs; for a grid, the power of a whole number that comes next below.
        out: the folder of the runs; None: the next free one under runs/.
        overrides: words for every run, as for `train`.
        quiet: print nothing.
        wishes: whatever else `train` takes.

    Raises:
        RecipeError: the space is empty or impossible, or a run has no validation set to be judged by.
        TrainingError: a signal stopped it before any trial was done.
    """
    _check(space, method, trials)
    parent = RunFolder.create(Path(out) if out is not None else None, "search")
    console = console_for(quiet)
    runs: list[Run] = []
    done: list[Trial] = []

    def objective(values: dict[str, float]) -> float:
        console.print(f"\n[bold]trial {len(runs) + 1}[/]  " + "  ".join(f"{k}={v:.3g}" for k, v in values.items()))
        said = [*overrides, *(f"{key}={value!r}" for key, value in values.items())]
        judge = _Score()
        run = train(
            out=parent.path / f"trial-{len(runs) + 1}",
            overrides=said,
            quiet=quiet,
            observers=[*wishes.get("observers", ()), judge],
            **{k: v for k, v in wishes.items() if k != "observers"},
        )
        runs.append(run)
        if run.interrupted:
            raise _StoppedError
        _record(run, method, space, values, judge, len(runs))
        if not math.isfinite(judge.score):
            raise RecipeError(f"{run.path} has no {judge.metric} to be judged by: a search needs a validation set.")
        done.append(Trial(dict(values), judge.score))
        return judge.score

    try:
        with suppress(_StoppedError):
            _methods(trials, len(space))[method](objective, space)
    finally:
        parent.remove_empty()
    return _finished(method, runs, done, parent.path)


def _finished(method: Method, runs: Sequence[Run], done: Sequence[Trial], place: Path) -> Search:
    """The trials that were done, on record in the search's folder."""
    if not done:
        raise TrainingError(
            f"The search was stopped by {runs[-1].stopped_by} in its first trial: nothing can be compared."
        )
    best = max(range(len(done)), key=lambda i: done[i].score)
    summary = {"method": method, "best": runs[best].path.name, "trials": [asdict(t) for t in done]}
    write_text(place / "search.json", json.dumps(summary, indent=2) + "\n")
    return Search(tuple(runs), runs[best], HyperSearch(method, tuple(done)), place)


def _methods(trials: int, axes: int) -> dict[str, Callable[..., HyperSearch]]:
    per_axis = next(n for n in range(trials, 0, -1) if n**axes <= trials)
    return {
        "grid": lambda objective, space: grid_search(objective, space, per_axis=per_axis),
        "random": lambda objective, space: random_search(objective, space, trials=trials),
        "bayesian": lambda objective, space: bayesian_search(objective, space, trials=trials, first=min(5, trials)),
    }


def _record(run: Run, method: Method, space: Space, values: dict[str, float], judge: _Score, number: int) -> None:
    """What was searched, into the run's store; `osler.training.checklist.procedure` shows it."""
    parameters = {k: {"low": low, "high": high, "value": values[k]} for k, (low, high) in space.items()}
    store = run.folder.store()
    try:
        score = judge.score if math.isfinite(judge.score) else None
        fact = {"method": method, "trial": number, "parameters": parameters, "metric": judge.metric, "score": score}
        store.set_fact("searched", fact)
    finally:
        store.close()


def _check(space: Space, method: str, trials: int) -> None:
    if method not in ("grid", "random", "bayesian"):
        raise RecipeError(f"A search is by grid, random or bayesian; given: {method}.")
    if not space or trials < 1:
        raise RecipeError("A search needs one parameter and one trial at least: search({'train.lr': (1e-4, 1e-1)}).")
    for key, (low, high) in space.items():
        if not 0 < low < high:
            raise RecipeError(
                f"{key} is searched between two values above 0, the lower one first; given: {low}, {high}."
            )
