"""One call of an operator, its arguments by name, and the registry of rules that say what its outputs see."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import Tensor

from osler.anatomy.sight import Sight


@dataclass(frozen=True, slots=True)
class Call:
    """An operator of PyTorch's core, called."""

    operator: Any  # torch._ops.OpOverload
    arguments: dict[str, Any]
    outputs: tuple[Tensor, ...]
    seen_by: Callable[[Tensor], Sight]

    @property
    def name(self) -> str:
        """`convolution`, `add`: without overload, and without the underscore of in-place forms."""
        return operator_name(self.operator)

    @property
    def tensors(self) -> list[Tensor]:
        """Every tensor among the arguments, those in lists too."""
        return [t for value in self.arguments.values() for t in tensors_in(value)]

    @property
    def shape(self) -> torch.Size:
        """Of the first output."""
        return self.outputs[0].shape

    def sight(self, argument: str) -> Sight:
        """What a tensor argument sees."""
        return self.seen_by(self.arguments[argument])

    def dim(self, argument: str = "dim", of: str = "self") -> int:
        """A dimension, counted from the front."""
        return int(self.arguments[argument]) % max(1, self.arguments[of].ndim)


Rule = Callable[[Call], Sight | Sequence[Sight]]
_rules: dict[str, Rule] = {}


def rule(*names: str) -> Callable[[Rule], Rule]:
    """Files a rule under the operators' names. It gives what each output sees; one sight stands for all outputs."""

    def file(function: Rule) -> Rule:
        for name in names:
            assert name not in _rules, name
            _rules[name] = function
        return function

    return file


def find_rule(operator: Any) -> Rule | None:
    """The rule of an operator; operators that PyTorch itself marks as element by element share one."""
    return _rules.get(operator_name(operator)) or (_rules["pointwise"] if is_pointwise(operator) else None)


@cache
def operator_name(operator: Any) -> str:
    """The name of an operator's schema: `aten::add_.Tensor` is `add`."""
    name: str = operator._schema.name.split("::")[-1]
    return name[:-1] if name.endswith("_") and not name.endswith("__") else name


def is_pointwise(operator: Any) -> bool:
    """Whether PyTorch marks the operator as working element by element."""
    return torch.Tag.pointwise in operator.tags


def bound(operator: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> dict[str, Any]:
    """Arguments by their names in the operator's schema, with the defaults of those not given."""
    declared = operator._schema.arguments
    values = {a.name: a.default_value if a.has_default_value() else None for a in declared[len(args) :]}
    return {**{a.name: v for a, v in zip(declared, args, strict=False)}, **values, **kwargs}


def tensors_in(value: Any) -> list[Tensor]:
    """Tensors in a value or in lists and tuples of them."""
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, (list, tuple)):
        return [t for part in value for t in tensors_in(part)]
    return []
