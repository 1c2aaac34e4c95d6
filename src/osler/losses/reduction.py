"""How the losses of single elements become one number; the words stand below, where operators need them too."""

from osler.ops.reduction import Reduction as Reduction
from osler.ops.reduction import reduce as reduce

__all__ = ["Reduction", "reduce"]
