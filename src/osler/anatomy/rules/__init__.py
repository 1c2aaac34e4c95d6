"""How each of PyTorch's operators moves what is seen: a file for each kind. An operator that is in none is unknown."""

from osler.anatomy.rules import picking, pointwise, products, reductions, resampling, shapes, windows  # noqa: F401
from osler.anatomy.rules.call import Call as Call
from osler.anatomy.rules.call import find_rule as find_rule
