"""Layers without an activation: a stack of them is one matrix, and a narrow one in between saves parameters (rows FB10, FB11)."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from osler.lab.plain_training import accuracy_of, fit, mlp

XOR = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]), torch.tensor([0, 1, 1, 0])


@torch.no_grad()
def as_one_layer(stack: nn.Sequential) -> nn.Linear:
    """The one linear layer that a stack of linear layers (and identities) computes.

    Raises:
        ValueError: there is something else in it.
    """
    layers = [layer for layer in stack if not isinstance(layer, nn.Identity)]
    if not layers or not all(isinstance(layer, nn.Linear) for layer in layers):
        raise ValueError("Only linear layers become one matrix; this stack has others.")
    first, *others = (layer for layer in layers if isinstance(layer, nn.Linear))
    weight = first.weight.double()
    bias = torch.zeros(first.out_features, dtype=torch.float64) if first.bias is None else first.bias.double()
    for layer in others:
        weight, bias = layer.weight.double() @ weight, layer.weight.double() @ bias
        if layer.bias is not None:
            bias = bias + layer.bias.double()
    one = nn.Linear(first.in_features, len(weight)).double()
    one.weight.copy_(weight)
    one.bias.copy_(bias)
    return one.to(first.weight.dtype)


def xor_accuracy(activation: Callable[[], nn.Module], *, epochs: int = 1200, seed: int = 0) -> float:
    """Of a network with one hidden layer, trained on the four cases of exclusive or."""
    x, y = XOR
    return accuracy_of(fit(mlp(2, 8, 2, activation=activation, seed=seed), x, y, epochs=epochs, seed=seed), x, y)


@dataclass(frozen=True, slots=True)
class Factorised:
    """A layer of n x m weights as two of n x k and k x m with nothing between them."""

    layer: nn.Sequential
    parameters: int  # weights of both
    before: int  # weights of the one
    error: float  # largest difference of the weight matrices


@torch.no_grad()
def factorise(layer: nn.Linear, rank: int) -> Factorised:
    """The nearest matrix of that rank, as two layers, by the singular value decomposition (Eckart and Young 1936)."""
    u, s, v = torch.linalg.svd(layer.weight.double(), full_matrices=False)
    inward = nn.Linear(layer.in_features, rank, bias=False)
    outward = nn.Linear(rank, layer.out_features, bias=layer.bias is not None)
    inward.weight.copy_(s[:rank, None].sqrt() * v[:rank])
    outward.weight.copy_(u[:, :rank] * s[:rank].sqrt())
    if layer.bias is not None:
        outward.bias.copy_(layer.bias)
    error = float((outward.weight @ inward.weight - layer.weight).abs().max())
    counts = inward.weight.numel() + outward.weight.numel(), layer.weight.numel()
    return Factorised(nn.Sequential(inward, outward), *counts, error)


def low_rank_layer(inputs: int, outputs: int, rank: int, *, seed: int = 0) -> nn.Linear:
    """A layer whose weights have that rank."""
    generator = torch.Generator().manual_seed(seed)
    layer = nn.Linear(inputs, outputs)
    left: Float[Tensor, "outputs rank"] = torch.randn(outputs, rank, generator=generator)
    with torch.no_grad():
        layer.weight.copy_(left @ torch.randn(rank, inputs, generator=generator) / inputs**0.5)
    return layer
