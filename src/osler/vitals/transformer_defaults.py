"""PyTorch's transformer layers take a shorter way in evaluation if their activation is `F.relu` itself.

Their constructors hold the function as a default that was bound when PyTorch was imported. While `F.relu` is replaced, the
default has to follow, or the layers would go the longer way, whose results differ in the last digits.
"""

from functools import partial
from typing import Any

from torch import nn
from torch.nn import functional

from osler.vitals.state import Patches


class ReluDefaults:
    """The constructors with such a default."""

    def follow(self, patches: Patches) -> None:
        """Replaces, in the defaults, the function that `F.relu` was by what it is now."""
        replaced = functional.relu
        original = getattr(replaced, "__wrapped__", replaced)
        for kind in (nn.TransformerEncoderLayer, nn.TransformerDecoderLayer, nn.Transformer):
            init: Any = kind.__init__
            while hasattr(init, "__wrapped__"):
                init = init.__wrapped__
            if init.__defaults__ and original in init.__defaults__:
                changed = tuple(replaced if value is original else value for value in init.__defaults__)
                patches.replace(init, "__defaults__", partial(_instead, changed))


def _instead(changed: tuple[Any, ...], _: Any) -> tuple[Any, ...]:
    return changed


RELU_DEFAULTS = ReluDefaults()
