"""The Recipe: everything that determines a run, frozen, and who set each value."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Literal

from annotated_types import Ge, Lt
from pydantic import Field

from osler.classic.recipe import EstimatorSection
from osler.data.recipe import DataSection
from osler.models.recipe import ModelSection
from osler.structures.section import Section
from osler.tasks.recipe import TaskSection
from osler.training.fine_tuning import FineTuningSection
from osler.training.section import TrainSection

Who = Literal["default", "weights", "automatic", "person"]


class Recipe(Section):
    """Data, model, task, training: a run is a function of these and of nothing else."""

    data: DataSection = Field(DataSection(), description="which pictures and labels")
    model: ModelSection = Field(ModelSection(), description="which network, and how pictures enter it")
    task: TaskSection = Field(TaskSection(), description="what the network is for")
    train: TrainSection = Field(TrainSection(), description="how it is fitted")
    finetune: FineTuningSection = Field(
        FineTuningSection(), description="which layers move, where it starts from trained weights"
    )
    estimator: EstimatorSection = Field(
        EstimatorSection(), description="a scikit-learn estimator fitted on the network's features"
    )
    seed: Annotated[int, Ge(0), Lt(2**63)] = Field(
        0, description="of all randomness: initial weights, order, augmentation, dropout"
    )


@dataclass(frozen=True, slots=True)
class Origin:
    """Who set a value, and why."""

    who: Who
    reason: str = ""


DEFAULT = Origin("default")
PASSED = "(passed in Python)"  # stands for data and functions, which no file can hold


@dataclass(frozen=True, slots=True)
class ResolvedRecipe:
    """A recipe with the origin of each value. What a person set is obeyed or refused, never changed in silence."""

    recipe: Recipe = field(default_factory=Recipe)
    origins: Mapping[str, Origin] = field(default_factory=dict)  # by dotted key; what is missing is a default

    def value(self, key: str) -> Any:
        """The value of a dotted key."""
        found: Any = self.recipe
        for part in key.split("."):
            found = found[part] if isinstance(found, dict) else getattr(found, part)
        return found

    def origin(self, key: str) -> Origin:
        """Who set a dotted key, or the nearest above it."""
        while key not in self.origins and "." in key:
            key = key.rpartition(".")[0]
        return self.origins.get(key, DEFAULT)

    def choose(self, key: str, value: Any, reason: str, *, who: Who = "automatic") -> "ResolvedRecipe":
        """The recipe with a value chosen by Osler, on the record with its reason."""
        changed = with_value(self.recipe, key.split("."), value)
        return replace(self, recipe=changed, origins={**self.origins, key: Origin(who, reason)})

    def rows(self) -> Iterator[tuple[str, Any, Origin]]:
        """Every value of the recipe: dotted key, value, origin."""
        for key, value in flatten(self.recipe.model_dump()):
            yield key, value, self.origin(key)


def with_value(section: Section, path: list[str], value: Any) -> Any:
    """A copy of a section with the value at `path` replaced and validated."""
    head, *rest = path
    new = with_value(getattr(section, head), rest, value) if rest else value
    return type(section).model_validate({**{n: getattr(section, n) for n in type(section).model_fields}, head: new})


def flatten(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted keys and values of nested mappings; empty mappings are values."""
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
