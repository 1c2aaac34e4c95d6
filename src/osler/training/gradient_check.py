"""Are the gradients right? Backpropagation against central differences, on a copy, before a network's first update."""

import math
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from osler.structures.batch import Batch
from osler.tasks.task import Task

SHARES = (1e-3, 1e-4, 1e-2, 1e-1)  # of the loss, by which a move should change it: the usual one first
LONGEST = 0.1  # of a move, where the loss hardly depends on the parameters
TOLERANCE = 1e-2  # relative; a missing or doubled gradient of one layer in thirty is more
ROUNDING = 2.0**-23  # of a loss in float32, relative
SPREAD = 1e-2  # of the weights' own size: how far the point of the check lies from the weights


@dataclass(frozen=True, slots=True)
class GradientCheck:
    """What became of the slope of the loss along a direction in which every parameter takes part."""

    passed: bool
    relative_error: float  # the smallest over the moves that were tried
    backpropagated: float  # slope by backpropagation
    measured: float  # slope by central differences
    parameters: int  # tensors that took part


def check_gradients(task: Task, model: nn.Module, batch: Batch) -> GradientCheck:
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


def compare_slopes(loss: Callable[[], Tensor], parameters: Sequence[Tensor]) -> GradientCheck:
    """The slope of a loss by its gradients, and by central differences, moving all parameters at once.

    Each tensor moves along its own gradient by the same length, so that no layer is drowned by another; one whose gradient is zero
    or missing moves at random: if that changes the loss, a gradient is missing. An error within the rounding of the loss is none.
    """
    start = loss()
    gradients = torch.autograd.grad(start, parameters, allow_unused=True)
    sizes = [0.0 if g is None else float(g.norm()) for g in gradients]
    directions = [_direction(p, g, s) for p, g, s in zip(parameters, gradients, sizes, strict=True)]
    slope, level = sum(sizes), max(abs(float(start.detach())), 1e-6)
    best = (math.inf, math.nan)
    for share in SHARES:
        step = min(LONGEST, share * level / slope) if slope else LONGEST
        high, low = (_moved(loss, parameters, directions, sign * step) for sign in (1, -1))
        measured = (high - low) / (2 * step)
        off = max(0.0, abs(measured - slope) - ROUNDING * max(abs(high), abs(low)) / step)
        error = off / max(abs(measured), slope, 1e-12)
        if error < best[0]:  # never so for NaN
            best = (error, measured)
        if error <= TOLERANCE:
            break
    return GradientCheck(best[0] <= TOLERANCE and slope > 0, best[0], slope, best[1], len(parameters))


def _direction(parameter: Tensor, gradient: Tensor | None, size: float) -> Tensor:
    if gradient is not None and size > 0:
        return gradient / size
    random = torch.randn_like(parameter)
    return random / random.norm()


@torch.no_grad()
def _moved(loss: Callable[[], Tensor], parameters: Sequence[Tensor], directions: Sequence[Tensor], by: float) -> float:
    """The loss with all parameters moved; they are put back."""
    starts = [p.clone() for p in parameters]
    for parameter, direction in zip(parameters, directions, strict=True):
        parameter.add_(direction, alpha=by)
    with torch.enable_grad():  # as in training: a loss may itself ask for gradients
        value = float(loss().detach())
    for parameter, start in zip(parameters, starts, strict=True):
        parameter.copy_(start)
    return value


@torch.no_grad()
def _step_aside(parameters: Sequence[Tensor]) -> None:
    for parameter in parameters:
        size = float(parameter.square().mean().sqrt()) or 1.0
        parameter.add_(torch.randn_like(parameter), alpha=SPREAD * size)


def _accelerators(device: torch.device) -> list[int]:
    if device.type != "cuda":
        return []
    return [device.index if device.index is not None else torch.cuda.current_device()]
