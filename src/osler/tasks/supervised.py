"""One network, one forward pass, one loss: the step and the evaluation of every task that is no more than that."""

from collections.abc import Callable
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

from osler.models.main_output import main_output
from osler.structures.batch import Batch
from osler.structures.errors import TrainingError
from osler.tasks.task import Losses, Step

AUXILIARY_WEIGHT = 0.3  # of auxiliary classifiers (Szegedy et al. 2014, "Going deeper with convolutions", section 5)

Criterion = Callable[[Float[Tensor, "batch outputs"], Any], Float[Tensor, ""]]  # of outputs and target, in float32


def supervised_step(model: nn.Module, batch: Batch, outputs: int, criterion: Criterion) -> Step:
    """The step of a batch. `outputs` is how many raw outputs a picture must get."""

    def losses() -> Losses:
        """The forward pass and its losses."""
        return named_losses(model(batch.images), batch.target, outputs, criterion)

    return Step(losses)


def evaluated(
    model: nn.Module, batch: Batch, outputs: int, criterion: Criterion
) -> tuple[Float[Tensor, "batch outputs"], Losses]:
    """Raw outputs in float32 and their loss; auxiliary classifiers are left out."""
    raw = _checked(main_output(model(batch.images)), batch.target, outputs)
    return raw, {"loss": criterion(raw, batch.target)}


def named_losses(answer: Tensor | tuple[Tensor | None, ...], target: Any, outputs: int, criterion: Criterion) -> Losses:
    """The losses of what a network answered.

    A tuple holds the main output and then those of auxiliary classifiers (None where one is off); their losses
    together are "aux_loss", each weighted by 0.3.

    Raises:
        TrainingError: an output has not the shape that the task needs.
    """
    if not isinstance(answer, tuple):
        return {"loss": criterion(_checked(answer, target, outputs), target)}
    main, *others = answer
    losses = {"loss": criterion(_checked(main, target, outputs), target)}
    auxiliary = [criterion(_checked(o, target, outputs), target) for o in others if o is not None]
    if auxiliary:
        losses["aux_loss"] = AUXILIARY_WEIGHT * sum(auxiliary[1:], auxiliary[0])
    return losses


def _checked(raw: Any, target: Any, outputs: int) -> Float[Tensor, "batch outputs"]:
    """`raw` in float32: a wrong shape would broadcast against the target in silence, or fail far from its cause."""
    wanted = (len(target), outputs)
    if not isinstance(raw, Tensor):
        raise TrainingError(f"The network gives a {type(raw).__name__}; this task needs a tensor of shape {wanted}.")
    if raw.shape != wanted:
        raise TrainingError(
            f"The network gives outputs of shape {tuple(raw.shape)}, but this task needs {wanted}: a row for each"
            f" picture, a column for each output. Give the network's last layer {outputs} outputs."
        )
    return raw.float()
