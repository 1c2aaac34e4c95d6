"""Follows one forward pass of a stand-in, layer by layer, and says in a sentence where it fails."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from osler.anatomy.refusals import does_not_fit, first_line, needs_numbers
from osler.anatomy.sight import Sight
from osler.anatomy.stack import ModuleStack
from osler.anatomy.trace import ForwardTrace
from osler.structures.errors import OslerError, RecipeError


class ShapeRefusedError(RecipeError):
    """An operator refuses its input's shape: that it would do with numbers too."""


@dataclass(frozen=True, slots=True)
class Followed:
    """What ran, and what the network's answer (where it is a tensor) sees."""

    stack: ModuleStack
    trace: ForwardTrace
    sees: Sight | None


def follow(model: nn.Module, picture: Tensor, sides: Sequence[int], run: Callable[[], Any], *, name: str) -> Followed:
    """Runs it once without gradients, and sees every operator.

    Args:
        model: a stand-in, in the mode in which it is to run.
        picture: the tensor of which it is followed what is seen.
        sides: which of its dimensions are the picture's sides.
        run: calls the network.
        name: what to call it in messages.

    Raises:
        ShapeRefusedError: a layer does not take what it is given.
        RecipeError: it fails for another reason.
    """
    stack = ModuleStack()
    trace = ForwardTrace(stack, model, picture, sides)
    device = torch.device("meta") if picture.is_meta else torch.device("cpu")
    try:
        with torch.no_grad(), device, stack.following(model), trace:
            answer = run()
        stack.finish()
        return Followed(stack, trace, trace.sight_of(answer) if isinstance(answer, Tensor) else None)
    except OslerError as error:
        if trace.failed_on is None:
            raise
        raise ShapeRefusedError(does_not_fit(trace, stack, picture, name, error)) from error
    except Exception as error:
        if trace.failed_on is not None and not needs_numbers(error):
            raise ShapeRefusedError(does_not_fit(trace, stack, picture, name, error)) from error
        raise RecipeError(f"{name} fails in {stack.where()}: {first_line(error)}.") from error
