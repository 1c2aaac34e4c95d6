"""From a network and a sample to its worked backpropagation."""

from copy import deepcopy

import torch
from torch import Tensor, nn

from osler.anatomy.backprop.choosing_rules import maker_of
from osler.anatomy.backprop.comparison import compare
from osler.anatomy.backprop.loss_rules import LossName, loss_rule
from osler.anatomy.backprop.passes import Applied, Passes, run_backward, run_forward
from osler.anatomy.backprop.statement import Figure, Signs, Statement, Step, axes_of
from osler.anatomy.backprop.tracing import trace
from osler.anatomy.backprop.worked import WorkedBackpropagation

ELEMENTS = 200  # of each tensor for which central differences are taken


def work_through(
    model: nn.Module,
    sample: Tensor,
    target: Tensor,
    *,
    loss: LossName = "cross_entropy",
    seed: int = 0,
    elements: int = ELEMENTS,
    name: str = "",
) -> WorkedBackpropagation:
    """Every number of one forward and one backward pass, by our own arithmetic in double precision.

    The model stays as it is: a copy is looked at, each module in the mode that it is in. Dropout draws its masks by `seed`.

    Args:
        model: chains and trees of layers that have a worked rule, with sums, products and concatenations between them.
        sample: a batch.
        target: classes for cross_entropy; a tensor like the outputs for mse and binary_cross_entropy.
        loss: of the raw outputs.
        seed: of dropout's masks.
        elements: of each parameter and of the sample, for which central differences are taken: two forward passes each.
        name: of the network; its class' where none is given.

    Raises:
        RecipeError: a layer or an operation has no worked rule, or the network cannot be followed.
        DataError: sample and target do not fit the network.
    """
    copy = _in_double(model)
    start = sample.detach().cpu().double().clone(memory_format=torch.contiguous_format)
    rule = loss_rule(loss, target.detach().cpu())
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        graph = trace(copy, start)
        torch.manual_seed(seed)
        passes = run_forward(graph, copy, start)
        run_backward(passes, rule)
    last = len(passes.values) - 1
    return WorkedBackpropagation(
        network=name or type(model).__name__,
        sample=start,
        steps=tuple(_written(passes, step) for step in passes.steps),
        loss_name=rule.name,
        loss=passes.loss,
        loss_forward=tuple(rule.say_forward(value_sign(last))),
        loss_backward=tuple(rule.say_backward(value_sign(last), error_sign(last))),
        sums=_sums(passes),
        differences=tuple(compare(graph, copy, start, rule, passes, seed=seed, elements=elements)),
        values=tuple(passes.values),
        gradients=passes.parameters | {f"x({n})": g for n, g in sorted(passes.gradients.items())},
    )


def value_sign(number: int) -> str:
    """How the value behind a step is written; 0 is the sample."""
    return f"x^{{({number})}}"


def error_sign(number: int) -> str:
    """How the loss' gradient at a value is written."""
    return rf"\delta^{{({number})}}"


def _in_double(model: nn.Module) -> nn.Module:
    """A copy on the CPU whose layers overwrite nothing; a single layer is put into a chain."""
    copy = deepcopy(model).cpu().double().requires_grad_()
    for module in copy.modules():
        if getattr(module, "inplace", False):
            module.inplace = False  # type: ignore[assignment]
    return copy if maker_of(copy) is None else nn.Sequential(copy).train(copy.training)


def _written(passes: Passes, step: Applied) -> Step:
    """The statements of a step with their signs."""
    back = tuple(
        error_sign(i) if len(passes.users(i)) == 1 else rf"\delta^{{({i} \leftarrow {step.number})}}"
        for i in step.inputs
    )
    signs = Signs(
        step.number, tuple(map(value_sign, step.inputs)), value_sign(step.number), back, error_sign(step.number)
    )
    forward, backward = step.rule.say_forward(signs), step.rule.say_backward(signs)
    return Step(step.number, step.name, step.kind, step.inputs, tuple(forward), tuple(backward))


def _sums(passes: Passes) -> dict[int, Statement]:
    """Values that several steps take: the chain rule adds up what comes back by each of them."""
    said = {}
    for number, value in enumerate(passes.values):
        users = sorted(set(passes.users(number)))
        if len(passes.users(number)) > 1:
            ways = " + ".join(rf"\delta^{{({number} \leftarrow {user})}}" for user in users)
            said[number] = Statement(
                f"{'The sample' if number == 0 else f'The output of step {number}'} went into steps "
                f"{', '.join(map(str, users))}: what comes back by each of them adds up.",
                rf"{error_sign(number)} = {ways}",
                figures=(Figure(error_sign(number), passes.gradients[number], axes_of(value.ndim)),),
            )
    return said
