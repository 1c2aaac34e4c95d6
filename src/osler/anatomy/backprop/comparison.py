"""Our gradients against autograd's, and against central differences of the plain network."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, fx, nn

from osler.anatomy.backprop.loss_rules import LossRule
from osler.anatomy.backprop.passes import Passes, autograd_pass
from osler.anatomy.backprop.rule import Values
from osler.ops.central_differences import refined_slope

AUTOGRAD, DIFFERENCES = 1e-6, 1e-4  # what the largest differences may be
STEP = 1e-6  # in float64 its error is far below the second of them


@dataclass(frozen=True, slots=True)
class Difference:
    """One tensor's gradient, worked by hand and found otherwise; the numbers are largest absolute values."""

    tensor: str  # the parameter's name, or the value's: x(0) is the sample
    shape: tuple[int, ...]
    gradient: float  # largest size
    by_autograd: float  # largest difference
    by_differences: float | None  # largest difference; None where they were not taken
    checked: int = 0  # elements for which central differences were taken
    kinks: int = 0  # of these, beside a kink, so that a smaller step was taken

    @property
    def agrees(self) -> bool:
        """Within 1e-6 of autograd, and within 1e-4 of central differences."""
        return self.by_autograd <= AUTOGRAD and (self.by_differences is None or self.by_differences <= DIFFERENCES)


def compare(
    graph: fx.Graph, model: nn.Module, sample: Values, loss: LossRule, passes: Passes, *, seed: int, elements: int
) -> list[Difference]:
    """Loss, parameters, sample and every value between. Central differences are taken for parameters and sample, of at
    most `elements` numbers of each, those of the largest gradients and others at random.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        value, by_node, _ = autograd_pass(graph, model, sample, loss)

    @torch.no_grad()
    def plain() -> float:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return float(loss.torch_loss(model(sample.clone())))

    found = [Difference("loss", (), 1.0, max(abs(value - passes.loss), abs(plain() - passes.loss)), None)]
    by_hand = _by_parameter(model, passes)
    for name, parameter in model.named_parameters():
        mine = by_hand.get(id(parameter), torch.zeros_like(parameter))
        theirs = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
        found.append(_row(name, parameter, mine, theirs, plain, elements, seed))
    nodes = {number: node.name for node, number in reversed(passes.nodes.items())}
    for number in range(len(passes.values)):
        mine = passes.gradients.get(number, torch.zeros_like(passes.values[number]))
        got = by_node.get(nodes[number], torch.zeros_like(mine))
        if number == 0:
            found.append(_row("x(0)", sample, mine, got, plain, elements, seed))
        else:
            found.append(Difference(f"x({number})", tuple(mine.shape), _size(mine), _size(mine - got), None))
    return found


def _row(
    name: str, tensor: Tensor, mine: Values, theirs: Tensor, plain: Callable[[], float], elements: int, seed: int
) -> Difference:
    largest, kinks, flat = 0.0, 0, mine.flatten()
    chosen = chosen_elements(flat, elements, seed)
    for index in chosen:
        expected = float(flat[index])
        slope, kink = refined_slope(plain, tensor, index, STEP, expected=expected, within=DIFFERENCES / 10)
        off = abs(slope.central - expected)
        if kink and slope.bent:  # exactly on a kink any slope between those of its sides is as good as another
            low, high = sorted((slope.left, slope.right))
            off = max(0.0, low - expected, expected - high)
        largest, kinks = max(largest, off), kinks + kink
    return Difference(name, tuple(tensor.shape), _size(mine), _size(mine - theirs), largest, len(chosen), kinks)


def chosen_elements(gradient: Values, count: int, seed: int) -> list[int]:
    """All of them, or half for their size and half at random."""
    if gradient.numel() <= count:
        return list(range(gradient.numel()))
    first = gradient.abs().topk(count // 2).indices
    others = torch.randperm(gradient.numel(), generator=torch.Generator().manual_seed(seed))[: count - len(first)]
    return sorted({*first.tolist(), *others.tolist()})


def _by_parameter(model: nn.Module, passes: Passes) -> dict[int, Values]:
    """Gradients by the parameter's identity: one that two layers share gets both."""
    found: dict[int, Values] = {}
    for name, gradient in passes.parameters.items():
        key = id(model.get_parameter(name))
        found[key] = found[key] + gradient if key in found else gradient
    return found


def _size(values: Values) -> float:
    return float(values.abs().max()) if values.numel() else 0.0
