"""From what a person said to a training that is ready to run: recipe, data, network, choices."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from osler.classic.estimators import build_estimator
from osler.classic.head import require_skops
from osler.data.opening import open_data
from osler.data.person import from_person
from osler.data.source import DataSource
from osler.models.head import find_head
from osler.structures.errors import RecipeError
from osler.structures.files import from_home
from osler.structures.person_code import is_file_spec
from osler.tasks.task import Task
from osler.training.artefact import Artefact
from osler.training.building import Given, build_training
from osler.training.recipe import PASSED, ResolvedRecipe, with_value
from osler.training.recipe_file import override, read_recipe
from osler.training.state import Training


@dataclass(slots=True)
class Prepared:
    """A training at its start, with the data that it is for."""

    training: Training
    artefact: Artefact
    source: DataSource
    given: Given  # what the person passed in Python for it


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a person said: a recipe file, words and values over it, and things that only Python can hold."""

    recipe: str | Path | None = None
    overrides: Iterable[str] = ()
    values: Mapping[str, Any] | None = None
    data: Any = None
    model: str | nn.Module | None = None
    loss: str | Callable[..., Tensor] | None = None
    task: str | Task | None = None
    last: tuple[str, ...] = ()  # words over all of these: what a rehearsal needs
    kept: ResolvedRecipe | None = None  # a checkpoint's recipe, in the place of all that could be said

    @property
    def given(self) -> Given:
        """The module, the loss and the task, where they were passed as such."""
        model = self.model if isinstance(self.model, nn.Module) else None
        loss = self.loss if callable(self.loss) else None
        return Given(model, loss, self.task if isinstance(self.task, Task) else None)

    def resolved(self) -> ResolvedRecipe:
        """The recipe with every value that was said."""
        if self.kept is not None:
            return self.kept
        said = dict(self.values or {})
        if isinstance(self.data, (str, Path)):
            said["data.path"] = str(self.data)
        elif self.data is not None:
            said["data.path"] = PASSED
        for key, value in (("model.name", self.model), ("task.loss", self.loss), ("task.name", self.task)):
            if isinstance(value, str):
                said[key] = value
        return with_absolute_paths(override(read_recipe(self.recipe, self.overrides, said), self.last))

    def source(self, resolved: ResolvedRecipe) -> DataSource:
        """The data, opened."""
        recipe = resolved.recipe
        if isinstance(self.data, DataSource):
            return self.data
        if self.data is not None and not isinstance(self.data, (str, Path)):
            return from_person(self.data, recipe.data, recipe.seed)
        return open_data(recipe.data, recipe.seed)


def with_absolute_paths(resolved: ResolvedRecipe) -> ResolvedRecipe:
    """The recipe with paths that do not depend on the folder one stands in: a run may be resumed from another."""
    recipe = resolved.recipe
    for key in ("data.path", "model.weights"):
        path = from_home(resolved.value(key))
        if path.exists() and resolved.value(key) != "none":
            recipe = with_value(recipe, key.split("."), str(path.resolve()))
    for key in ("model.name", "task.loss"):
        file, _, name = resolved.value(key).rpartition(":")
        if is_file_spec(resolved.value(key)) and from_home(file).is_file():
            recipe = with_value(recipe, key.split("."), f"{from_home(file).resolve()}:{name}")
    return ResolvedRecipe(recipe, resolved.origins)


def prepare(wishes: Wishes, change: Callable[[DataSource], DataSource] | None = None) -> Prepared:
    """Reads the recipe, opens the data, builds the training.

    Args:
        wishes: what the person said.
        change: applied to the opened data, e.g. to keep a few pictures only.
    """
    resolved = wishes.resolved()
    _refuse_absent(resolved, wishes)
    source = wishes.source(resolved)
    source = change(source) if change else source
    training, artefact = build_training(resolved, source, wishes.given, fresh=wishes.kept is None)
    _refuse_impossible_estimator(training, source)
    return Prepared(training, artefact, source, wishes.given)


def _refuse_absent(resolved: ResolvedRecipe, wishes: Wishes) -> None:
    """What no file can hold must be passed again, also where a recipe says that it was there once."""
    given = wishes.given
    passed = {"data": ("data.path", wishes.data), "model": ("model.name", given.model)}
    passed |= {"loss": ("task.loss", given.loss), "task": ("task.name", given.task)}
    for word, (key, thing) in passed.items():
        was_passed = resolved.value(key) == PASSED or resolved.origin(key).reason.endswith("passed in Python")
        if was_passed and thing is None:
            raise RecipeError(
                f"The {word} of this run was passed in Python: pass it again, osler.resume_run(run, {word}=...) to go on with the "
                f"run, osler.train(recipe, {word}=...) to start another."
            )


def _refuse_impossible_estimator(training: Training, source: DataSource) -> None:
    """What would go wrong after the network's training is said before it."""
    section, seed = training.recipe.recipe.estimator, training.recipe.recipe.seed
    if section.name != "none":
        build_estimator(section.name, source.kind, dict(section.options), seed)
        find_head(training.model)
        require_skops()
