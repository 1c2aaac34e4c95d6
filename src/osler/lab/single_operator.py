"""Which operators a network needs when it is exported: a chip that has only some of them runs only such networks.

Ding et al. 2021 (RepVGG, sections 1 and 3.1): a specialised chip can hold the more computing units the fewer kinds of
operators it supports; a deployed RepVGG needs one kind of convolution and ReLU.
"""

from collections import Counter

import torch
from jaxtyping import Float
from torch import Tensor, fx, nn


def exported_operators(model: nn.Module, images: Float[Tensor, "batch channels height width"]) -> dict[str, int]:
    """How often each operator stands in the graph that `torch.export` makes of a model in evaluation.

    Names are those of ATen, most frequent first; a convolution's has its kernel, as in `conv2d 3x3`, and `depthwise`
    or the groups where it has such.
    """
    training = model.training
    try:
        graph = torch.export.export(model.eval(), (images,)).graph
    finally:
        model.train(training)
    found = Counter(_name(node) for node in graph.nodes if node.op == "call_function")
    return dict(found.most_common())


def convolutions_of(operators: dict[str, int]) -> set[str]:
    """The kinds of convolutions among the operators."""
    return {name for name in operators if name.startswith("conv")}


def _name(node: fx.Node) -> str:
    operator = str(getattr(node.target, "__name__", node.target)).partition(".")[0]
    if not operator.startswith("conv"):
        return operator
    weight = node.args[1].meta["val"]  # type: ignore[union-attr]  # an exported convolution's second argument
    groups = node.args[6] if len(node.args) > 6 else node.kwargs.get("groups", 1)
    name = f"{operator} {'x'.join(str(side) for side in weight.shape[2:])}"
    if groups == 1:
        return name
    return f"{name} depthwise" if weight.shape[1] == 1 else f"{name} of {groups} groups"
