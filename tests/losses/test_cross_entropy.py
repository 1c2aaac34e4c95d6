"""Cross-entropy, binary cross-entropy and the KL divergence: the losses of probabilities."""

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from osler.losses.distribution import as_distribution, kl_divergence
from osler.losses.registry import losses

seeds = st.integers(0, 10_000)


def batch(seed, *, rows=6, classes=5, scale=3.0):
    generator = torch.Generator().manual_seed(seed)
    outputs = torch.randn(rows, classes, generator=generator, dtype=torch.float64) * scale
    target = torch.randint(classes, (rows,), generator=generator)
    soft = torch.rand(rows, classes, generator=generator, dtype=torch.float64)
    return outputs.requires_grad_(True), target, soft / soft.sum(dim=1, keepdim=True)


@pytest.mark.craft("LO01")
@settings(max_examples=10, deadline=None)
@given(seeds)
def test_cross_entropy_is_minus_sum_of_target_times_log_probability(seed):
    outputs, target, soft = batch(seed)
    cross_entropy = losses["cross_entropy"].function
    log_p = outputs.exp().div(outputs.exp().sum(dim=1, keepdim=True)).log()
    assert torch.allclose(cross_entropy(outputs, soft), -(soft * log_p).sum(dim=1).mean())
    assert torch.allclose(cross_entropy(outputs, target), -log_p[torch.arange(6), target].mean())


@pytest.mark.craft("LO01")
@settings(max_examples=10, deadline=None)
@given(seeds)
def test_the_gradient_through_softmax_is_probability_less_target(seed):
    outputs, _, soft = batch(seed)
    losses["cross_entropy"].function(outputs, soft, reduction="sum").backward()
    assert torch.allclose(outputs.grad, torch.softmax(outputs, dim=1) - soft, atol=1e-12)


@pytest.mark.craft("LO01")
def test_cross_entropy_is_stable_where_the_probability_underflows():
    outputs = torch.tensor([[1000.0, -1000.0]], requires_grad=True)
    loss = losses["cross_entropy"].function(outputs, torch.tensor([1]))
    loss.backward()
    assert loss.item() == 2000
    assert outputs.grad.tolist() == [[1, -1]]


@pytest.mark.craft("LO01")
@settings(max_examples=10, deadline=None)
@given(seeds)
def test_cross_entropy_is_divergence_plus_entropy(seed):
    outputs, _, soft = batch(seed)
    entropy = -(soft * soft.log()).sum(dim=1)
    together = kl_divergence(outputs, soft, reduction="none") + entropy
    assert torch.allclose(together, losses["cross_entropy"].function(outputs, soft, reduction="none"))


@pytest.mark.craft("LO02")
@settings(max_examples=10, deadline=None)
@given(seeds, st.floats(0.5, 8))
def test_divergence_is_zero_at_its_target_and_positive_elsewhere(seed, temperature):
    outputs, _, soft = batch(seed)
    itself = torch.softmax(outputs.detach() / temperature, dim=1)
    assert kl_divergence(outputs, itself, temperature=temperature).item() == pytest.approx(0, abs=1e-12)
    assert kl_divergence(outputs, soft).item() > 0
    assert torch.autograd.gradcheck(lambda x: kl_divergence(x, soft, temperature=temperature), outputs)


def test_divergence_counts_impossible_outcomes_as_nothing():
    value = kl_divergence(torch.zeros(1, 4), torch.tensor([[0.5, 0.5, 0.0, 0.0]]))
    assert value.item() == pytest.approx(math.log(2))


@pytest.mark.craft("LO10")
@settings(max_examples=10, deadline=None)
@given(seeds)
def test_bce_judges_each_label_by_itself(seed):
    outputs, _, soft = batch(seed)
    labels = (soft > 0.2).double()
    p = torch.sigmoid(outputs)
    by_hand = -(labels * p.log() + (1 - labels) * (1 - p).log()).mean()
    assert torch.allclose(losses["bce"].function(outputs, labels), by_hand, atol=1e-6)


@pytest.mark.craft("LO10")
def test_bce_is_stable_far_out_and_all_labels_may_be_true():
    outputs = torch.tensor([[100.0, -100.0, 100.0]], requires_grad=True)
    wrong = losses["bce"].function(outputs, torch.tensor([[0.0, 1.0, 0.0]]))
    wrong.backward()
    assert wrong.item() == 100
    assert torch.isfinite(outputs.grad).all()
    assert losses["bce"].function(torch.full((1, 3), 100.0), torch.ones(1, 3)).item() < 1e-6
    assert losses["cross_entropy"].function(torch.full((1, 3), 100.0), torch.ones(1, 3)).item() > 3  # softmax cannot


@settings(max_examples=10, deadline=None)
@given(seeds, st.floats(0, 0.9))
def test_a_smoothed_target_keeps_its_sum_and_its_class(seed, smoothing):
    _, target, soft = batch(seed)
    for rows in (as_distribution(target, 5, smoothing=smoothing), as_distribution(soft, 5, smoothing=smoothing)):
        assert torch.allclose(rows.sum(dim=1), torch.ones(6), atol=1e-6)
    smoothed = as_distribution(target, 5, smoothing=smoothing)
    assert torch.equal(smoothed.argmax(dim=1), target)
    assert torch.allclose(smoothed.min(dim=1).values, torch.full((6,), smoothing / 5), atol=1e-7)


@settings(max_examples=10, deadline=None)
@given(seeds, st.floats(0.01, 0.5))
def test_smoothing_is_torchs(seed, smoothing):
    outputs, target, _ = batch(seed)
    ours = F.cross_entropy(outputs, as_distribution(target, 5, smoothing=smoothing).double())
    assert torch.allclose(ours, F.cross_entropy(outputs, target, label_smoothing=smoothing))
