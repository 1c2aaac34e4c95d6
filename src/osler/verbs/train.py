"""`osler train`: from pictures to a trained model, its numbers, its mistakes and a report."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from osler.structures.errors import CheckpointError, RecipeError
from osler.structures.healing import TriedChange
from osler.tasks.task import Task
from osler.training.checklist import Checklist
from osler.training.checkpoint import read_checkpoint, recipe_of, resume
from osler.training.determinism import deterministic
from osler.training.estimator_stage import fit_estimator, fit_own_estimators
from osler.training.interruption import stops_in_order
from osler.training.loop import fit
from osler.training.observer import Observer
from osler.training.progress import ProgressBar
from osler.training.recipe import ResolvedRecipe
from osler.training.recipe_file import override, write_recipe
from osler.training.recorder import Checkpointer, CsvLog, Recorder
from osler.training.run_folder import RunFolder
from osler.training.tensorboard_log import TensorBoardLog
from osler.verbs.announcing import announce, announce_end, console_for
from osler.verbs.finishing import finish
from osler.verbs.preparing import Prepared, Wishes, prepare
from osler.verbs.run import Run

# What may change when a run goes on: how long and where it computes, not what it computes.
CHANGEABLE = ("train.epochs", "train.patience", "train.workers", "train.device", "train.log", "train.checkpoint_every")


def train(
    recipe: str | Path | None = None,
    *,
    data: Any = None,
    model: str | nn.Module | None = None,
    loss: str | Callable[..., Tensor] | None = None,
    task: str | Task | None = None,
    out: str | Path | None = None,
    overrides: Sequence[str] = (),
    observers: Sequence[Observer] = (),
    quiet: bool = False,
    **values: Any,
) -> Run:
    """Trains a network on pictures.

    Args:
        recipe: a YAML file; None: the defaults.
        data: a folder, a CSV file, the name of a known set; or a `Dataset` (or a pair: training, validation) that yields a picture
            and its label.
        model: a network by name, `my_net.py:Net`, or a module.
        loss: a loss by name, `my_loss.py:loss`, or a function of outputs and targets.
        task: classification, multilabel, regression, or a `Task` of one's own; None: by the labels that the data has.
        out: the run's folder, which must be free or empty; None: the next free one under runs/.
        overrides: `key=value` words as on the command line.
        observers: further watchers of the loop.
        quiet: print nothing.
        values: keys of the recipe: `epochs=10`, `train=...`; a key's last name is enough where only one key has it.

    Returns:
        The run: `run.metrics["accuracy"]`, `run.predict("cat.jpg")`, `run.report`.

    Raises:
        OslerError: something a person can put right; the message says what and how.
    """
    prepared = prepare(Wishes(recipe, overrides, values, data, model, loss, task))
    return train_prepared(prepared, out=out, observers=observers, quiet=quiet)


def train_prepared(
    prepared: Prepared,
    *,
    out: str | Path | None = None,
    observers: Sequence[Observer] = (),
    quiet: bool = False,
    healing: Sequence[TriedChange] = (),
) -> Run:
    """Trains what is prepared, to its report; `healing`, what was tried on its recipe before, is told there."""
    began = time.perf_counter()
    training = prepared.training
    folder = new_folder(prepared, out)
    if training.engine.leads:
        with closing(folder.store()) as store:
            if healing:
                store.set_fact("healing", [each.as_json() for each in healing])
    console = console_for(quiet or not training.engine.leads)
    announce(console, prepared)
    steady = deterministic(training.recipe.recipe.train.deterministic)
    with watched(prepared, folder, observers, console) as watchers, stops_in_order(training), steady:
        fit(training, watchers)
    return end(prepared, folder, console, time.perf_counter() - began)


def resume_run(
    run: str | Path,
    *,
    data: Any = None,
    model: nn.Module | None = None,
    loss: Callable[..., Tensor] | None = None,
    task: Task | None = None,
    overrides: Sequence[str] = (),
    observers: Sequence[Observer] = (),
    quiet: bool = False,
) -> Run:
    """Goes on with a run from its last checkpoint, bit for bit as if it had never stopped.

    Args:
        run: the run's folder.
        data: as for `train`, where the run's data was passed in Python.
        model: as for `train`, where the run's network was passed in Python.
        loss: as for `train`, where the run's loss was passed in Python.
        task: as for `train`, where the run's task was passed in Python.
        overrides: words such as `train.epochs=30`; what a run computes stays as it is. With another number of epochs the learning
            rate goes on as it would at that place of a run of so many: under cosine it jumps up when epochs are added.
        observers: further watchers of the loop.
        quiet: print nothing.

    Raises:
        NoRunError: there is no run.
        CheckpointError: its checkpoint cannot be used.
        RecipeError: a word would change what the run computes.
    """
    began = time.perf_counter()
    folder = RunFolder.existing(run)
    content = read_checkpoint(folder.last)
    kept = _changed(recipe_of(content, folder.last), overrides)
    prepared = prepare(Wishes(data=data, model=model, loss=loss, task=task, kept=kept))
    _check_classes(prepared, content)
    resume(prepared.training, content)
    training = prepared.training
    console = console_for(quiet or not training.engine.leads)
    announce(console, prepared, resumed=folder.path)
    steady = deterministic(training.recipe.recipe.train.deterministic)
    with watched(prepared, folder, observers, console) as watchers, stops_in_order(training), steady:
        fit(training, watchers)
    return end(prepared, folder, console, time.perf_counter() - began)


def _changed(recipe: ResolvedRecipe, overrides: Sequence[str]) -> ResolvedRecipe:
    new = override(recipe, overrides)
    before = {k: v for k, v, _ in recipe.rows()}
    changed = [k for k, v, _ in new.rows() if before.get(k) != v]
    refused = [k for k in changed if k not in CHANGEABLE]
    if refused:
        raise RecipeError(
            f"A resumed run computes what it did before, so {', '.join(refused)} cannot change. What can: {', '.join(CHANGEABLE)}. "
            "To start from its weights instead: osler train model.weights=RUN ..."
        )
    return new


def _check_classes(prepared: Prepared, content: dict[str, Any]) -> None:
    """A run's head has as many outputs as its data had classes; if the data has grown, the run cannot go on."""
    names = content.get("names")
    now = list(prepared.source.names)
    if names is not None and list(names) != now:
        raise CheckpointError(
            f"The run was trained on {len(names)} classes and the data has {len(now)} now "
            f"({', '.join(n for n in now if n not in names) or 'in another order'}): its head does not fit. "
            "Start a new run from its weights: osler train model.weights=RUN data=..."
        )


def new_folder(prepared: Prepared, out: str | Path | None) -> RunFolder:
    """The run's folder, made by the first process; its recipe is written before the first update."""
    engine, folder = prepared.training.engine, None
    if engine.leads:
        name = prepared.training.recipe.recipe.model.name.rpartition(":")[2]
        folder = RunFolder.create(Path(out) if out is not None else None, f"{prepared.source.name}-{name}")
        with folder.removed_unless_begun():
            write_recipe(prepared.training.recipe, folder.recipe_path)
    shared: RunFolder = engine.share(folder)
    return shared


@contextmanager
def watched(
    prepared: Prepared, folder: RunFolder, observers: Sequence[Observer], console: Any
) -> Iterator[list[Observer]]:
    """The observers of a run; only the first process writes and prints."""
    if not prepared.training.engine.leads:
        yield list(observers)
        return
    log = prepared.training.recipe.recipe.train.log
    with folder.removed_unless_begun(), closing(folder.store()) as store:
        watchers: list[Observer] = [Recorder(store), Checklist(store)]
        if "csv" in log:
            watchers.append(CsvLog(store, folder.path / "metrics.csv"))
        if "tensorboard" in log:
            watchers.append(TensorBoardLog(folder.path / "tensorboard"))
        if prepared.training.recipe.recipe.train.doctor:
            from osler.doctor.observing import DoctorObserver

            watchers.append(DoctorObserver(folder.path, folder.path.name, prepared.source))
        yield [*watchers, Checkpointer(folder, prepared.artefact), ProgressBar(console), *observers]


def end(prepared: Prepared, folder: RunFolder, console: Any, seconds: float) -> Run:
    """The estimator's stage, the test set, the report; or the word that the run was interrupted."""
    training = prepared.training
    if training.interrupted:
        announce_end(console, folder, prepared)
        return Run(folder.path, given=prepared.given)
    after_the_network(prepared, folder, seconds)
    if training.engine.leads:
        announce_end(console, folder, prepared)
    training.engine.barrier()
    return Run(folder.path, given=prepared.given)


def after_the_network(prepared: Prepared, folder: RunFolder, seconds: float) -> dict[str, float]:
    """The stages after the gradient's: estimators, the network's own and where one is asked for; test set; report.

    Returns the metrics that count; none in processes that do not lead.
    """
    training = prepared.training
    if not training.engine.leads:
        return {}
    fit_own_estimators(training, artefact=prepared.artefact, folder=folder)
    if training.recipe.recipe.estimator.name != "none":
        fit_estimator(training, kind=prepared.source.kind, preprocessing=prepared.artefact.preprocessing, folder=folder)
    return finish(prepared, folder, seconds)
