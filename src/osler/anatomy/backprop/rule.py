"""What a rule is: the arithmetic of one layer, forward and back, with everything that there is to say of it."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

from osler.anatomy.backprop.statement import Signs, Statement

Values = Float[Tensor, " *shape"]


class Rule(ABC):
    """One layer at one step. `forward` remembers what `backward` and the statements need; all tensors are float64."""

    passes_on = False  # whether it does nothing, so that no step is needed

    @abstractmethod
    def forward(self, *inputs: Values) -> Values:
        """The layer's output, by our own arithmetic."""

    @abstractmethod
    def backward(self, gradient: Values) -> tuple[Values, ...]:
        """From the loss' gradient at the output to that at each input, by the chain rule."""

    @abstractmethod
    def say_forward(self, signs: Signs) -> list[Statement]:
        """The layer's formula and its numbers."""

    @abstractmethod
    def say_backward(self, signs: Signs) -> list[Statement]:
        """The formulas of its gradients and their numbers."""

    def parameter_gradients(self) -> dict[str, Values]:
        """After `backward`: the loss' gradients in the layer's own parameters, by the module's names."""
        return {}


MAKERS: dict[type[nn.Module], Callable[[Any], Rule]] = {}


def rule_for(*kinds: type[nn.Module]) -> Callable[[type[Any]], type[Any]]:
    """Decorator: the class below is made from a module of these kinds."""

    def file(rule: type[Any]) -> type[Any]:
        for kind in kinds:
            MAKERS[kind] = rule
        return rule

    return file
