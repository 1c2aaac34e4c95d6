"""The neuron and the gradient of its parts; the perceptron that goes to a festival."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from osler.lab.neuron import CASES, FESTIVAL, decides, neuron, perceptron_rule

FUNCTIONS = {"identity": lambda z: z, "sigmoid": torch.sigmoid, "tanh": torch.tanh, "relu": torch.relu}


@pytest.mark.craft("FB07")
@pytest.mark.parametrize("name", FUNCTIONS)
@settings(max_examples=25, deadline=None)
@given(inputs=st.integers(1, 5), bias=st.floats(-2, 2), seed=st.integers(0, 999))
def test_it_computes_and_shows_the_gradient_of_each_part(name: str, inputs: int, bias: float, seed: int) -> None:
    random = np.random.default_rng(seed)
    x, w = random.standard_normal(inputs), random.standard_normal(inputs)
    found = neuron(x, w, bias, name)  # type: ignore[arg-type]
    leaves = [torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in (w, bias, x)]
    a = FUNCTIONS[name](leaves[0] @ leaves[2] + leaves[1])
    assert found.a == pytest.approx(float(a.detach()))
    for mine, theirs in zip(
        (found.d_weights, found.d_bias, found.d_inputs), torch.autograd.grad(a, leaves), strict=True
    ):
        np.testing.assert_allclose(mine, theirs.numpy(), rtol=1e-9, atol=1e-12)


@pytest.mark.craft("FB07")
def test_the_parts_are_written() -> None:
    text = str(neuron(np.array([1.0, 2.0]), np.array([0.5, -0.25]), 0.0))
    assert "z = w x + b = 0;" in text
    assert "a = g(z) = 0.5;" in text
    assert "da/dw = g'(z) x = [0.25, 0.5]; da/db = g'(z) = 0.25; da/dx = g'(z) w = [0.125, -0.0625]" in text


@pytest.mark.craft("FB08")
@given(bias=st.floats(-7, -3, exclude_min=True))
def test_with_such_a_bias_one_goes_if_and_only_if_the_singer_is_liked(bias: float) -> None:
    assert decides(CASES, FESTIVAL, bias).tolist() == [0, 0, 1, 1]


@pytest.mark.craft("FB08")
def test_other_biases_decide_otherwise() -> None:
    answers = {bias: decides(CASES, FESTIVAL, bias).tolist() for bias in (1.0, -2.0, -5.0, -7.0, -9.0, -11.0)}
    assert answers == {
        1.0: [1, 1, 1, 1], -2.0: [0, 1, 1, 1], -5.0: [0, 0, 1, 1], -7.0: [0, 0, 0, 1], -9.0: [0, 0, 0, 1], -11.0: [0, 0, 0, 0],
    }  # fmt: skip


@pytest.mark.craft("FB08")
def test_the_perceptron_rule_ends_on_and_and_not_on_xor() -> None:
    conjunction, exclusive = np.array([0, 0, 0, 1]), np.array([0, 1, 1, 0])
    learnt = perceptron_rule(CASES, conjunction)
    assert learnt.converged
    assert learnt.epochs < 20
    assert decides(CASES, learnt.weights, learnt.bias).tolist() == conjunction.tolist()
    assert not perceptron_rule(CASES, exclusive).converged
