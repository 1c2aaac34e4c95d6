"""What the recipe asks of a task, obeyed or refused."""

from collections.abc import Sequence

from osler.data.source import DataSource, TargetKind
from osler.structures.errors import RecipeError
from osler.tasks.recipe import TaskSection
from osler.tasks.task import LossFunction

KINDS: dict[TargetKind, str] = {
    "class": "one class a picture",
    "labels": "several labels a picture",
    "numbers": "numbers",
    "objects": "objects and their boxes",
}


def require_kind(task: str, source: DataSource, kind: TargetKind) -> None:
    """The targets are of the kind that the task predicts.

    Raises:
        RecipeError: they are of another.
    """
    if source.kind != kind:
        raise RecipeError(
            f"task.name is {task!r}, which predicts {KINDS[kind]}, but {source.name} gives {KINDS[source.kind]}."
            f" Remove task.name, or set data.labels={kind} if the data can be read so."
        )


def require_usual_threshold(section: TaskSection, task: str) -> None:
    """No threshold was set for a task that has none.

    Raises:
        RecipeError: one was.
    """
    if section.threshold != 0.5:
        raise RecipeError(f"task.threshold is {section.threshold}, but {task} has no threshold: remove it.")


def chosen_loss(section: TaskSection, loss: LossFunction | None) -> str | LossFunction | None:
    """A person's own loss, else the registered name in the recipe; None for auto."""
    return loss if loss is not None else None if section.loss == "auto" else section.loss


def given_weights(section: TaskSection, source: DataSource) -> Sequence[float] | None:
    """The class weights as the recipe writes them; None when it has none.

    Raises:
        RecipeError: there are more or fewer than classes, one is negative, or none is positive.
    """
    weights = section.class_weights
    if isinstance(weights, str):
        return None
    if len(weights) != len(source.names):
        raise RecipeError(
            f"task.class_weights has {len(weights)} weights, but {source.name} has {len(source.names)} classes:"
            f" {', '.join(source.names[:10])}{', ...' if len(source.names) > 10 else ''}."
        )
    if min(weights) < 0 or not any(weights):
        raise RecipeError(f"task.class_weights are {weights}: none may be negative, and not all may be 0.")
    return weights
