"""The chain rule: two derivatives by hand as by autograd, and the proof's quantities on their way to their limits."""

from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from osler.lab.chain_rule import ANGLE, CUBE, FLAT, Composition, proof


@pytest.mark.craft("FB02")
@pytest.mark.parametrize("composition", [CUBE, ANGLE, FLAT], ids=lambda c: c.name)
@settings(max_examples=50, deadline=None)
@given(x=st.floats(-3, 3))
def test_both_derivatives_are_autograds(composition: Composition, x: float) -> None:
    at = torch.tensor([x], dtype=torch.float64, requires_grad=True)
    (theirs,) = torch.autograd.grad(composition(at), at)
    torch.testing.assert_close(composition.by_chain_rule(at.detach()), theirs, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(composition.derivative(at.detach()), theirs, rtol=1e-12, atol=1e-12)


def test_the_derivatives_as_they_are_printed() -> None:
    at = torch.tensor([2.0], dtype=torch.float64)
    assert float(CUBE.derivative(at)) == 6 * 2 * 5**2
    assert float(ANGLE.derivative(torch.zeros(1, dtype=torch.float64))) == 1


@pytest.mark.craft("FB02")
@pytest.mark.parametrize("composition", [CUBE, ANGLE], ids=lambda c: c.name)
@pytest.mark.parametrize("x", [-1.3, 0.4, 0.9])
def test_the_proof_in_numbers(composition: Composition, x: float) -> None:
    steps = proof(composition, x)
    for step in steps:
        assert step.quotient == pytest.approx(step.product, rel=1e-9), "the quotient is (f' + eta)(g' + eps)"
    for before, after in pairwise(steps):
        assert abs(after.eps) < 0.2 * abs(before.eps)
        assert abs(after.eta) < 0.2 * abs(before.eta)
        assert abs(after.quotient - after.limit) < 0.2 * abs(before.quotient - before.limit)
    assert abs(steps[-1].eps) < 1e-4
    assert abs(steps[-1].eta) < 1e-3
    assert steps[-1].quotient == pytest.approx(steps[-1].limit, rel=1e-3)


@pytest.mark.craft("FB02")
def test_where_g_does_not_move_eta_of_0_is_0_and_the_rule_still_holds() -> None:
    for step in proof(FLAT, 0.7):
        assert (step.alpha, step.eta, step.quotient, step.product, step.limit) == (0, 0, 0, 0, 0)
