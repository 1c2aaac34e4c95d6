"""The forward and the backward pass of a traced network by our rules, and the same by autograd."""

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, fx, nn

from osler.anatomy.backprop.choosing_rules import module_rule, operation_rule, said
from osler.anatomy.backprop.loss_rules import LossRule
from osler.anatomy.backprop.rule import Rule, Values
from osler.structures.errors import RecipeError


@dataclass(slots=True)
class Applied:
    """A rule at its place in the network."""

    rule: Rule
    number: int  # of the value that it gives
    inputs: tuple[int, ...]  # numbers of the values that it takes
    name: str
    kind: str


@dataclass(slots=True)
class Passes:
    """All values and all gradients of one forward and one backward pass."""

    steps: list[Applied] = field(default_factory=list)
    values: list[Values] = field(default_factory=list)  # 0 is the sample
    nodes: dict[fx.Node, int] = field(default_factory=dict)
    loss: float = 0.0
    gradients: dict[int, Values] = field(default_factory=dict)  # of the loss at each value
    by_step: dict[tuple[int, int], Values] = field(default_factory=dict)  # (value, step): what came back by that step
    parameters: dict[str, Values] = field(default_factory=dict)

    def users(self, value: int) -> list[int]:
        """The steps that take a value, once for each time that they do."""
        return [step.number for step in self.steps for number in step.inputs if number == value]


def run_forward(graph: fx.Graph, model: nn.Module, sample: Values) -> Passes:
    """Every step by its own rule, on numbers.

    Raises:
        RecipeError: a layer or an operation has no rule, or the network gives something else than one tensor.
    """
    passes, modules = Passes(values=[sample]), dict(model.named_modules())
    for node in graph.nodes:
        if node.op == "placeholder":
            passes.nodes[node] = 0
        elif node.op == "output":
            _end(passes, node, model)
        else:
            _step(passes, node, modules)
    return passes


@dataclass(frozen=True, slots=True)
class _Value:
    """A tensor among the arguments of a node."""

    number: int


def _step(passes: Passes, node: fx.Node, modules: dict[str, nn.Module]) -> None:
    """Puts a node's rule and what it gives behind the others."""
    if node.op == "get_attr":
        raise RecipeError(f"The network uses {node.target} outside of a layer; there is no worked rule for that.")
    given: Any = fx.node.map_arg(node.args, lambda n: _Value(passes.nodes[n]))  # type: ignore[arg-type,return-value]
    options: Any = fx.node.map_arg(node.kwargs, lambda n: _Value(passes.nodes[n]))  # type: ignore[arg-type,return-value]
    inputs = [a.number for a in _flat((given, options)) if isinstance(a, _Value)]
    if node.op == "call_module":
        module = modules[str(node.target)]
        rule, name, kind = module_rule(str(node.target), module), str(node.target), str(module)
    else:
        rest = [a for a in given if not isinstance(a, _Value) and not _holds_values(a)]
        named = {k: v for k, v in options.items() if not isinstance(v, _Value) and not _holds_values(v)}
        rule = operation_rule(node.target, rest, named, len(inputs))
        name, kind = said(node.target), ""
    output = rule.forward(*(passes.values[i] for i in inputs))
    if rule.passes_on:
        passes.nodes[node] = inputs[0]
        return
    passes.nodes[node] = len(passes.values)
    passes.steps.append(Applied(rule, len(passes.values), tuple(inputs), name, kind))
    passes.values.append(output)


def _end(passes: Passes, node: fx.Node, model: nn.Module) -> None:
    result = node.args[0]
    if not isinstance(result, fx.Node) or result not in passes.nodes:
        raise RecipeError(
            f"{type(model).__name__} gives {'several outputs' if isinstance(result, tuple | list | dict) else 'no tensor'}; "
            "one tensor can be followed back. Where it has auxiliary heads in training, put it in evaluation mode."
        )
    last = passes.nodes[result]  # what comes after it is not used
    passes.steps = [step for step in passes.steps if step.number <= last]
    del passes.values[last + 1 :]


def run_backward(passes: Passes, loss: LossRule) -> None:
    """From the loss to the sample; at a value that several steps take, what comes back adds up."""
    last = len(passes.values) - 1
    passes.loss = loss.forward(passes.values[last])
    passes.gradients[last] = loss.backward()
    for step in reversed(passes.steps):
        gradient = passes.gradients.get(step.number)
        if gradient is None:  # nothing of it reaches the output
            gradient = passes.gradients[step.number] = torch.zeros_like(passes.values[step.number])
        for number, part in zip(step.inputs, step.rule.backward(gradient), strict=True):
            key = (number, step.number)
            passes.by_step[key] = passes.by_step[key] + part if key in passes.by_step else part
            passes.gradients[number] = passes.gradients[number] + part if number in passes.gradients else part
        for name, part in step.rule.parameter_gradients().items():
            full = f"{step.name}.{name}"
            passes.parameters[full] = passes.parameters[full] + part if full in passes.parameters else part


class _Keeping(fx.Interpreter):
    """Runs the graph by PyTorch and keeps each node's tensor, whose gradient autograd then fills in."""

    def __init__(self, module: fx.GraphModule) -> None:
        super().__init__(module)
        self.kept: dict[str, Tensor] = {}

    def call_function(self, target: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """On copies, so that an operation in place overwrites nothing whose gradient is wanted."""
        return super().call_function(target, _copied(args), _copied(kwargs))

    def call_method(self, target: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """On copies, likewise."""
        return super().call_method(target, _copied(args), _copied(kwargs))

    def run_node(self, n: fx.Node) -> Any:
        result = super().run_node(n)
        if isinstance(result, Tensor) and result.requires_grad:
            result.retain_grad()
            self.kept[n.name] = result
        return result


def autograd_pass(
    graph: fx.Graph, model: nn.Module, sample: Values, loss: LossRule
) -> tuple[float, dict[str, Tensor], Tensor]:
    """Loss, each node's gradient by name, and the network's plain output, by PyTorch. The model keeps the parameters'."""
    with torch.enable_grad():
        runner = _Keeping(fx.GraphModule(model, graph))
        model.zero_grad(set_to_none=True)
        value = loss.torch_loss(runner.run(sample.clone().requires_grad_()))
        value.backward()
    found = {name: t.grad for name, t in runner.kept.items() if t.grad is not None}
    return float(value.detach()), found, value.detach()


def _copied(arguments: Any) -> Any:
    return fx.node.map_aggregate(arguments, lambda a: a.clone() if isinstance(a, Tensor) else a)


def _flat(value: Any) -> list[Any]:
    if isinstance(value, tuple | list):
        return [leaf for part in value for leaf in _flat(part)]
    if isinstance(value, dict):
        return _flat(list(value.values()))
    return [value]


def _holds_values(value: Any) -> bool:
    return isinstance(value, tuple | list) and any(isinstance(v, _Value) for v in _flat(value))
