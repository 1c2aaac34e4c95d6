import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from osler.losses.focal import sigmoid_focal_loss, softmax_focal_loss

seeds = st.integers(0, 10_000)


def batch(seed, classes=4):
    generator = torch.Generator().manual_seed(seed)
    outputs = torch.randn(7, classes, generator=generator, dtype=torch.float64) * 3
    return outputs.requires_grad_(True), torch.randint(classes, (7,), generator=generator)


@pytest.mark.craft("LO04")
@settings(max_examples=10, deadline=None)
@given(seeds)
def test_without_focus_and_weight_it_is_cross_entropy(seed):
    outputs, target = batch(seed)
    plain = softmax_focal_loss(outputs, target, alpha=1, gamma=0)
    assert torch.allclose(plain, F.cross_entropy(outputs, target), atol=1e-15)
    labels = F.one_hot(target, 4).double()
    unweighted = sigmoid_focal_loss(outputs, labels, alpha=-1, gamma=0)
    assert torch.allclose(unweighted, F.binary_cross_entropy_with_logits(outputs, labels), atol=1e-15)


@pytest.mark.craft("LO04")
@settings(max_examples=10, deadline=None)
@given(seeds, st.floats(0.5, 5))
def test_each_example_is_weighed_by_its_difficulty_to_the_power_gamma(seed, gamma):
    outputs, target = batch(seed)
    hard = (1 - torch.softmax(outputs, dim=1)[torch.arange(7), target]) ** gamma
    plain = F.cross_entropy(outputs, target, reduction="none")
    focal = softmax_focal_loss(outputs, target, gamma=gamma, reduction="none")
    assert torch.allclose(focal, hard * plain, rtol=1e-6)
    assert torch.allclose(softmax_focal_loss(outputs, F.one_hot(target, 4).double(), gamma=gamma), focal.mean())


@pytest.mark.craft("LO02", "LO04")
@settings(max_examples=10, deadline=None)
@given(seeds)
def test_gradients_equal_finite_differences(seed):
    outputs, target = batch(seed)
    labels = F.one_hot(target, 4).double()
    assert torch.autograd.gradcheck(lambda x: softmax_focal_loss(x, target), outputs)
    assert torch.autograd.gradcheck(lambda x: sigmoid_focal_loss(x, labels), outputs)


def test_value_and_gradient_stay_finite_far_out():
    for make in (
        lambda x: softmax_focal_loss(x, torch.tensor([0, 1])),
        lambda x: sigmoid_focal_loss(x, torch.tensor([[1.0, 0.0], [1.0, 0.0]])),
    ):
        outputs = torch.tensor([[200.0, -200.0], [200.0, -200.0]], requires_grad=True)
        loss = make(outputs)
        loss.backward()
        assert torch.isfinite(loss)
        assert torch.isfinite(outputs.grad).all()


def test_sigmoid_form_equals_torchvisions(shared):
    reference = np.load(shared / "reference" / "ops.npz")
    outputs, target = (torch.from_numpy(reference[f"focal_{n}"]).float() for n in ("logits", "targets"))
    ours = sigmoid_focal_loss(outputs, target, alpha=0.25, gamma=2, reduction="none")
    assert torch.allclose(ours, torch.from_numpy(reference["focal_a25_g2"]).float(), atol=1e-6)


@pytest.mark.craft("LO04")
def test_it_helps_where_one_in_a_thousand_is_positive():
    """A linear model whose features hold much easy background: the focal loss separates the rare positives better."""

    def recall_at_the_top(loss):
        generator = torch.Generator().manual_seed(3)
        target = (torch.arange(20_000) % 1000 == 0).float()
        features = torch.randn(20_000, 2, generator=generator)
        features[:, 0] += 2.5 * target
        easy = (torch.rand(20_000, generator=generator) < 0.95) & (target == 0)
        features[easy, 1] -= 4  # most of the background is far from anything
        weight = torch.zeros(2, requires_grad=True)
        bias = torch.zeros(1, requires_grad=True)
        optimizer = torch.optim.SGD([weight, bias], lr=1.0)
        for _ in range(150):
            optimizer.zero_grad()
            loss(features @ weight + bias, target).backward()
            optimizer.step()
        positive = torch.sigmoid(features @ weight + bias) > 0.5
        return float(positive[target == 1].float().mean())

    plain = recall_at_the_top(F.binary_cross_entropy_with_logits)
    focal = recall_at_the_top(lambda x, t: 20 * sigmoid_focal_loss(x, t, alpha=0.95))
    assert focal > plain + 0.2
