"""Backpropagation by hand in NumPy: each delta and each dW as by autograd and by central differences, and printed."""

import ast
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from osler.lab import numpy_mlp
from osler.lab.numpy_mlp import NumpyMLP, Pass

MODULES = {"sigmoid": nn.Sigmoid, "tanh": nn.Tanh, "relu": nn.ReLU}


def drawn(sizes: list[int], rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    return random.standard_normal((rows, sizes[0])), random.integers(0, sizes[-1], rows)


def by_autograd(net: NumpyMLP, activation: Any, x: np.ndarray, y: np.ndarray) -> tuple[list[Any], list[Any], list[Any]]:
    """Deltas, dW and db."""
    weights = [torch.from_numpy(w.copy()).requires_grad_() for w in net.weights]
    biases = [torch.from_numpy(b.copy()).requires_grad_() for b in net.biases]
    a, sums = torch.from_numpy(x), []
    for weight, bias in zip(weights, biases, strict=True):
        sums.append(a @ weight.T + bias)
        a = MODULES[activation]()(sums[-1])
    loss = nn.functional.cross_entropy(sums[-1], torch.from_numpy(y))
    found = torch.autograd.grad(loss, [*sums, *weights, *biases])
    n = len(sums)
    return list(found[:n]), list(found[n : 2 * n]), list(found[2 * n :])


@pytest.mark.craft("FB01")
@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "relu"])
@settings(max_examples=15, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 5), min_size=1, max_size=3),
    classes=st.integers(2, 4),
    rows=st.integers(1, 4),
    seed=st.integers(0, 999),
)
def test_every_delta_and_every_gradient_is_right(
    activation: Any, sizes: list[int], classes: int, rows: int, seed: int
) -> None:
    sizes = [*sizes, classes]
    net, (x, y) = NumpyMLP(sizes, activation, seed=seed), drawn(sizes, rows, seed)
    found = net.backward(x, y)
    autograd = by_autograd(net, activation, x, y)
    for mine, theirs in zip((found.deltas, found.d_weights, found.d_biases), autograd, strict=True):
        assert max(np.abs(a - b.numpy()).max() for a, b in zip(mine, theirs, strict=True)) < 1e-6
    if min((np.abs(z).min() for z in found.sums[:-1]), default=1.0) > 1e-3 or activation != "relu":  # no kink nearby
        for mine, theirs in zip((found.d_weights, found.d_biases), net.measured(x, y), strict=True):
            assert max(np.abs(a - b).max() for a, b in zip(mine, theirs, strict=True)) < 1e-6


@pytest.mark.craft("FB01")
def test_every_number_is_printed() -> None:
    sizes = [3, 4, 2]
    net, (x, y) = NumpyMLP(sizes, "tanh"), drawn(sizes, 3, 0)
    found = net.backward(x, y)
    text = str(found)
    for name, values in (("delta", found.deltas), ("dW", found.d_weights), ("db", found.d_biases)):
        for layer, wanted in enumerate(values, start=1):
            assert np.allclose(printed(text, f"{name}_{layer}"), wanted, atol=1e-6), name
    assert text.index("delta_2") < text.index("delta_1"), "from the last layer to the first"


def printed(text: str, name: str) -> np.ndarray:
    block = text.split(f"{name} =\n")[1].split(" =\n")[0]
    return np.array(ast.literal_eval(re.sub(r"(?<=[\d.\]])\s+(?=[-\d\[])", ", ", block[: block.rindex("]") + 1])))


def test_there_is_no_autograd_in_it() -> None:
    assert "torch" not in Path(numpy_mlp.__file__).read_text(encoding="utf-8")


def test_a_planted_sign_error_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(numpy_mlp.ACTIVATIONS, "tanh", (np.tanh, lambda z: 1 + np.tanh(z) ** 2))
    sizes = [3, 4, 2]
    net, (x, y) = NumpyMLP(sizes, "tanh"), drawn(sizes, 3, 0)
    found: Pass = net.backward(x, y)
    assert np.abs(found.d_weights[0] - net.measured(x, y)[0][0]).max() > 1e-3
