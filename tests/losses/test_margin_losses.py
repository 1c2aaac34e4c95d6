"""Losses with a margin: hinge, contrastive, triplet."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from osler.losses.contrastive import contrastive_loss
from osler.losses.hinge import hinge_loss
from osler.losses.registry import losses

seeds = st.integers(0, 10_000)


@pytest.mark.craft("LO02")
def test_hinge_is_zero_beyond_the_margin_and_linear_before():
    outputs = torch.tensor([2.0, 1.0, 0.25, -1.0], requires_grad=True)
    loss = hinge_loss(outputs, torch.ones(4), reduction="none")
    assert loss.tolist() == [0, 0, 0.75, 2]
    loss.sum().backward()
    assert outputs.grad.tolist() == [0, 0, -1, -1]
    assert hinge_loss(-outputs, torch.zeros(4), reduction="none").tolist() == [0, 0, 0.75, 2]


@pytest.mark.craft("LO02")
def test_contrastive_pulls_like_pairs_and_pushes_unlike_ones_up_to_the_margin():
    first = torch.zeros(4, 2, requires_grad=True)
    second = torch.tensor([[3.0, 4.0], [0.6, 0.8], [0.3, 0.4], [3.0, 4.0]])
    unlike = torch.tensor([0.0, 0.0, 1.0, 1.0])
    loss = contrastive_loss(first, second, unlike, reduction="none")
    assert loss.tolist() == pytest.approx([12.5, 0.5, 0.125, 0], abs=1e-5)
    loss.sum().backward()
    assert torch.allclose(first.grad[0], -second[0])  # towards its like, as strongly as it is far
    assert torch.allclose(
        first.grad[2], torch.tensor([0.3, 0.4]), atol=1e-4
    )  # a descent step leads away from its unlike
    assert first.grad[3].tolist() == [0, 0]


@settings(max_examples=10, deadline=None)
@given(seeds)
def test_contrastive_gradient_equals_finite_differences(seed):
    generator = torch.Generator().manual_seed(seed)
    first, second = torch.randn(2, 5, 3, generator=generator, dtype=torch.float64)
    unlike = torch.tensor([0, 1, 0, 1, 1], dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda x: contrastive_loss(x, second, unlike, margin=2), first.requires_grad_(True))


def test_contrastive_has_a_finite_slope_where_an_unlike_pair_coincides():
    first = torch.zeros(1, 2, requires_grad=True)
    contrastive_loss(first, torch.zeros(1, 2), torch.ones(1)).backward()
    assert torch.isfinite(first.grad).all()


@pytest.mark.craft("LO02")
def test_triplet_is_the_difference_of_distances_plus_the_margin():
    anchor = torch.zeros(2, 2, requires_grad=True)
    like, unlike = torch.tensor([[3.0, 4.0], [0.0, 1.0]]), torch.tensor([[0.0, 5.0], [6.0, 8.0]])
    loss = losses["triplet"].function(anchor, like, unlike, margin=1.0, reduction="none")
    assert loss.tolist() == pytest.approx([1, 0], abs=1e-4)
    loss.sum().backward()
    assert torch.allclose(anchor.grad[0], torch.tensor([-0.6, -0.8 + 1.0]), atol=1e-4)
    assert anchor.grad[1].tolist() == [0, 0]
