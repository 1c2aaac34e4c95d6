"""The loss that a task minimises: a registered one that suits its problem, or a person's own."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from osler.losses.choosing import choose_loss, unsuited
from osler.losses.registry import Problem, losses
from osler.structures.errors import RecipeError, TrainingError


@dataclass(frozen=True, slots=True)
class Objective:
    """A loss, and its registered name (None for a person's own)."""

    name: str | None
    function: Callable[..., Tensor]

    def own(self, outputs: Tensor, target: Any) -> Tensor:
        """A person's loss of outputs and target.

        Raises:
            TrainingError: it gave something else than one number.
        """
        value = self.function(outputs, target)
        if not isinstance(value, Tensor) or value.numel() != 1:
            given = (
                f"a tensor of shape {tuple(value.shape)}" if isinstance(value, Tensor) else f"a {type(value).__name__}"
            )
            own = getattr(self.function, "__name__", type(self.function).__name__)
            raise TrainingError(f"Your loss {own} gives {given}, not one number. Return its mean over the batch.")
        return value.reshape(())


def pick_objective(loss: str | Callable[..., Tensor] | None, problem: Problem) -> Objective:
    """The objective for `loss`: a registered name, a person's function, or None for the problem's usual loss.

    Raises:
        UnknownNameError: no loss has that name; the nearest is offered.
        RecipeError: the loss cannot be computed for this problem; those that can are listed.
    """
    if callable(loss):
        return Objective(None, loss)
    name = choose_loss(problem).name if loss is None else loss
    known = losses[name]
    if problem not in known.fits + known.computes:
        fitting = ", ".join(n for n in losses if problem in losses[n].fits)
        raise RecipeError(
            f"The loss {name!r} is for {' and '.join(known.fits)}, not for {problem}. These fit: {fitting}."
        )
    return Objective(name, known.function)


def refuse_for_own_loss(objective: Objective, label_smoothing: float, class_weights: Sequence[float] | None) -> None:
    """Smoothing and weights are not asked of a loss whose inside is not ours.

    Raises:
        RecipeError: they are.
    """
    if objective.name is None and (label_smoothing or class_weights is not None):
        raise RecipeError(
            "task.label_smoothing and task.class_weights cannot reach into a loss of your own: apply them there."
        )


def doubts(objective: Objective, problem: Problem, *, imbalance: float = 1.0, outliers: float = 0.0) -> list[str]:
    """What a person should know about the loss they set, or about the usual one on targets such as theirs."""
    if objective.name is None:
        return []
    misfit = unsuited(objective.name, problem)
    if misfit:
        return [misfit]
    better = choose_loss(problem, imbalance=imbalance, outliers=outliers)
    if objective.name == choose_loss(problem).name != better.name:
        return [f"Consider task.loss={better.name}: {better.reason}."]
    return []
