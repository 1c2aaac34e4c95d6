"""The task of a recipe on a data set, and the task of a saved model."""

from collections.abc import Mapping
from typing import Any

import osler.tasks.classification
import osler.tasks.detection
import osler.tasks.multilabel
import osler.tasks.regression  # noqa: F401  they are registered by being imported
from osler.data.source import DataSource, TargetKind
from osler.structures.errors import UnknownNameError
from osler.structures.person_code import is_file_spec, load_from_file
from osler.structures.registry import unknown
from osler.tasks.recipe import TaskSection
from osler.tasks.task import LossFunction, Task, tasks

BY_KIND: dict[TargetKind, str] = {
    "class": "classification",
    "labels": "multilabel",
    "numbers": "regression",
    "objects": "detection",
}


def build_task(section: TaskSection, source: DataSource, seed: int = 0, *, loss: LossFunction | None = None) -> Task:
    """The task that `section` names, or for `auto` the one that the kind of targets asks for, made for `source`.

    `loss` is a person's own function of (outputs, target), given in Python; in a recipe it is written file.py:function.

    Raises:
        UnknownNameError: no task or loss has that name; the nearest is offered.
        RecipeError: the recipe asks for something that these targets do not allow, or the person's file does not run.
        DataError: the targets cannot be learnt from.
    """
    name = BY_KIND[source.kind] if section.name == "auto" else section.name
    if loss is None and is_file_spec(section.loss):
        loss = load_from_file(section.loss, "loss")
    return tasks[name].build(section, source, seed=seed, loss=loss)


def task_from_facts(name: str, facts: Mapping[str, Any]) -> Task:
    """The task of a saved model: `task.name` and `task.facts()` as they were kept with it.

    Raises:
        UnknownNameError: no task has that name: it was one of the person's own.
    """
    if name not in tasks:
        raise UnknownNameError(
            f"{unknown('task', name, tasks)} If this model's task was passed in Python, pass it again: "
            "osler.evaluate(run, task=...), osler.predict(run, ..., task=...)."
        )
    return tasks[name].from_facts(facts)
