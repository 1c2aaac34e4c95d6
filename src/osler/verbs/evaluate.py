"""`osler evaluate`: the metrics of a trained model on other data."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from osler.data.joining import joined
from osler.data.loader import Loader
from osler.data.opening import open_data
from osler.data.person import from_person
from osler.data.recipe import DataSection
from osler.data.source import DataSource
from osler.imaging.fit import FitTo
from osler.imaging.transform import Compose
from osler.structures.errors import DataError, RecipeError
from osler.tasks.task import Outcome, Task
from osler.training.artefact import Artefact
from osler.training.engine import choose_workers
from osler.training.evaluation import evaluate as answer_all
from osler.training.recipe import PASSED, with_value
from osler.training.recipe_file import read_recipe
from osler.training.run_folder import RunFolder
from osler.verbs.answering_together import Runs, load_runs, refuse_learnt_pictures, run_paths
from osler.verbs.loading import PROBLEMS, answering_engine


@dataclass(frozen=True, slots=True)
class Evaluation:
    """How a model did on a split of some data."""

    data: str
    split: str  # "all", "train", "validation" or "test"
    samples: int
    metrics: dict[str, float]
    outcome: Outcome
    names: tuple[str, ...]  # of the classes, labels or numbers


def evaluate(
    run: Runs,
    *,
    data: Any = None,
    split: str = "auto",
    model: nn.Module | None = None,
    task: Task | None = None,
    batch_size: int = 64,
    device: str = "auto",
    **values: Any,
) -> Evaluation:
    """Evaluates the best weights of a run.

    Args:
        run: a run's folder, or a .safetensors file that Osler wrote; several of them answer together, as an ensemble.
        data: a folder, CSV file or known set, or your own data as `osler.train` takes it; None: the run's own data.
        split: which part: "train", "validation", "test", or "all" pictures of the data as one. "auto": for the run's own data the
            test set where there is one, else the validation set; for other data its test set where it has one, else all of it.
        model: the module to fill, where the run was trained on one passed in Python.
        task: the run's task, where it was passed in Python.
        batch_size: pictures at a time.
        device: "auto", "cpu", "cuda", "mps".
        values: further keys of the recipe's data section (`format`, `label_columns`, ...), for other data.

    Raises:
        OslerError: the run, the data, or their fit is wrong; the message says how.
    """
    artefact = load_runs(run, model=model, task=task)
    source, section, own = _open(run_paths(run)[0], data, values, artefact)
    dataset, named = _split(source, split, own)
    if own:
        refuse_learnt_pictures(run, named)
    dataset.decode_size = artefact.preprocessing.size
    engine, standardise = answering_engine(artefact, device)
    loader = Loader(
        dataset,
        transform=Compose([FitTo(artefact.preprocessing)]),
        collate=artefact.task.collate,
        batch_size=batch_size,
        seed=0,
        order="sequential",
        workers=choose_workers(source.in_memory)[0],
        unreadable=section.unreadable,
    )
    outcome = answer_all(artefact.model, artefact.task, loader, engine=engine, standardise=standardise)
    metrics = artefact.task.metrics(outcome) | outcome.losses
    return Evaluation(source.name, named, len(outcome.indices), metrics, outcome, artefact.preprocessing.names)


def _open(
    run: str | Path, data: Any, values: dict[str, Any], artefact: Artefact
) -> tuple[DataSource, DataSection, bool]:
    """The data to evaluate on, its answers numbered as the model knows them; how it is read; whether it is the run's own."""
    if values and (data is None or isinstance(data, DataSource)):
        raise RecipeError(
            f"{', '.join(values)} would say how other data is to be read, and no other data is named: evaluate(run, data=...), "
            "or osler evaluate RUN data=..."
        )
    names = artefact.preprocessing.names
    whole = {"data.validation": 0.0, "data.test": 0.0, "data.labels": PROBLEMS.get(artefact.task.name, "auto")}
    section = read_recipe(values=whole | {f"data.{k}": v for k, v in values.items()}).recipe.data
    if data is None:
        return _own_data(run)
    if isinstance(data, DataSource):
        return data, section, False
    if isinstance(data, (str, Path)):
        return open_data(with_value(section, ["path"], str(data)), 0, names=names), section, False
    return from_person(data, section, 0, names=names), section, False


def _own_data(run: str | Path) -> tuple[DataSource, DataSection, bool]:
    """The data that a run was trained on, divided as it was."""
    if Path(run).suffix == ".safetensors":
        raise DataError("A weights file does not say which data it was trained on. Name some: data=FOLDER.")
    recipe = RunFolder.existing(run).recipe().recipe
    if recipe.data.path == PASSED:
        raise DataError("This run's data was passed in Python. Name some: evaluate(run, data=...).")
    return open_data(recipe.data, recipe.seed), recipe.data, True


def _split(source: DataSource, split: str, own: bool) -> tuple[Any, str]:
    if split == "auto":
        split = "test" if source.test is not None and len(source.test) else "validation" if own else "all"
    if split == "all":
        parts = [p for p in (source.train, source.validation, source.test) if p is not None and len(p)]
        return joined(parts), "all"
    dataset = {"train": source.train, "validation": source.validation, "test": source.test}.get(split)
    if dataset is None or not len(dataset):
        raise DataError(
            f"{source.name} has no {split} set. Use split=train, validation, test (where there is one) or all."
        )
    return dataset, split
