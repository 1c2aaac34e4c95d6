"""Losses of masks: Dice, and Mask R-CNN's."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from osler.losses.dice import dice_loss
from osler.losses.mask import mask_loss

seeds = st.integers(0, 10_000)


@pytest.mark.craft("LO02")
def test_dice_is_zero_for_the_very_mask_and_near_one_for_its_opposite():
    mask = torch.zeros(2, 8, 8)
    mask[0, 2:5, 2:5] = 1
    sure = (mask * 2 - 1) * 50
    assert dice_loss(sure, mask, reduction="none").tolist() == pytest.approx([0, 0], abs=1e-6)  # the second is empty
    assert dice_loss(-sure, mask, smooth=1e-6, reduction="none")[0].item() == pytest.approx(1, abs=1e-6)


def test_dice_value_by_hand():
    outputs, target = torch.zeros(1, 4), torch.tensor([[1.0, 1.0, 0.0, 0.0]])  # every p is 1/2
    assert dice_loss(outputs, target, smooth=1.0).item() == pytest.approx(1 - (2 * 1 + 1) / (4 * 0.25 + 2 + 1))


@pytest.mark.craft("LO02")
@settings(max_examples=10, deadline=None)
@given(seeds)
def test_dice_gradient_equals_finite_differences(seed):
    generator = torch.Generator().manual_seed(seed)
    outputs = torch.randn(2, 3, 3, generator=generator, dtype=torch.float64).requires_grad_(True)
    target = (torch.rand(2, 3, 3, generator=generator, dtype=torch.float64) > 0.5).double()
    assert torch.autograd.gradcheck(lambda x: dice_loss(x, target), outputs)


@pytest.mark.craft("LO11")
@settings(max_examples=10, deadline=None)
@given(seeds)
def test_only_the_true_classs_mask_gets_a_gradient(seed):
    generator = torch.Generator().manual_seed(seed)
    outputs = torch.randn(3, 4, 5, 5, generator=generator, requires_grad=True)
    target = (torch.rand(3, 5, 5, generator=generator) > 0.5).float()
    labels = torch.randint(4, (3,), generator=generator)
    loss = mask_loss(outputs, target, labels, reduction="none")
    loss.sum().backward()
    moved = outputs.grad.abs().sum(dim=(2, 3)) > 0
    assert torch.equal(moved, F.one_hot(labels, 4).bool())
    alone = [F.binary_cross_entropy_with_logits(outputs[i, c], target[i]) for i, c in enumerate(labels)]
    assert torch.allclose(loss, torch.stack(alone))
