"""Are the gradients of a task's first step right? On a copy, before a network's first update, by `osler.ops.slopes`.

`osler.check_gradients` goes tensor by tensor, for any module or loss.
"""

from collections.abc import Sequence
from copy import deepcopy

import torch
from torch import Tensor, nn

from osler.ops.slopes import GradientCheck, compare_slopes
from osler.structures.batch import Batch
from osler.tasks.task import Task

SPREAD = 1e-2  # of the weights' own size: how far the point of the check lies from the weights


def check_first_step(task: Task, model: nn.Module, batch: Batch) -> GradientCheck:
    """Checks the first step of a task on one batch of standardised pictures, on the batch's device.

    The model stays as it is: a copy in double precision is looked at, in training mode, a little away from its weights, because
    fresh biases of 0 put rectifiers exactly on their kink. Every call of the loss draws the same random numbers, so that dropout
    drops the same; PyTorch's random state is restored.
    """
    copy = deepcopy(model).to(batch.images.device, torch.float64).train()
    images = batch.images.double()
    with torch.random.fork_rng(devices=_accelerators(images.device)):
        torch.manual_seed(0)
        parameters = [p for p in copy.parameters() if p.requires_grad]
        _step_aside(parameters)

        def loss() -> Tensor:
            torch.manual_seed(1)
            losses = next(iter(task.steps(copy, Batch(images, batch.target, batch.indices)))).losses()
            first, *others = losses.values()
            return sum(others, first)

        return compare_slopes(loss, parameters)


@torch.no_grad()
def _step_aside(parameters: Sequence[Tensor]) -> None:
    for parameter in parameters:
        size = float(parameter.square().mean().sqrt()) or 1.0
        parameter.add_(torch.randn_like(parameter), alpha=SPREAD * size)


def _accelerators(device: torch.device) -> list[int]:
    if device.type != "cuda":
        return []
    return [device.index if device.index is not None else torch.cuda.current_device()]
