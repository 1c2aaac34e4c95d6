"""Normalisation by hand against PyTorch, forward and backward."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from osler.ops.normalisation import batch_norm, batch_norm_backward, group_norm
from osler.structures.errors import RecipeError

shapes = st.one_of(
    st.tuples(st.integers(2, 6), st.just(4)),
    st.tuples(st.integers(1, 3), st.just(4), st.integers(2, 4), st.integers(1, 4)),
)


def some(shape: tuple[int, ...], seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) * 3 + 1


@pytest.mark.craft("NO01")
@given(shape=shapes)
def test_batch_norm_is_pytorchs_with_mean_zero_and_variance_one(shape: tuple[int, ...]) -> None:
    x, scale, shift = some(shape), some((4,), 1), some((4,), 2)
    seen = batch_norm(x, scale, shift, eps=0.0)
    over = [0, *range(2, x.ndim)]
    torch.testing.assert_close(seen.x_hat.mean(over), torch.zeros(4).double(), rtol=0, atol=1e-9)
    torch.testing.assert_close(seen.x_hat.var(over, correction=0), torch.ones(4).double())
    expected = F.batch_norm(x, None, None, scale, shift, training=True)
    torch.testing.assert_close(batch_norm(x, scale, shift).output, expected)


@pytest.mark.craft("NO02")
def test_scale_and_shift_can_undo_it() -> None:
    x = some((8, 4, 3, 3))
    plain = batch_norm(x, torch.ones(4).double(), torch.zeros(4).double())
    back = batch_norm(x, plain.deviation, plain.mean).output
    torch.testing.assert_close(back, x, rtol=1e-12, atol=1e-12)
    assert sum(p.numel() for p in nn.BatchNorm2d(4).parameters()) == 2 * 4, "two a channel"


@pytest.mark.craft("NO04")
@given(shape=shapes)
def test_the_way_back_is_autograds(shape: tuple[int, ...]) -> None:
    x, scale, shift = some(shape).requires_grad_(), some((4,), 1).requires_grad_(), some((4,), 2).requires_grad_()
    gradient = some(shape, 3)
    F.batch_norm(x, None, None, scale, shift, training=True).backward(gradient)
    seen = batch_norm(x.detach(), scale.detach(), shift.detach())
    found = batch_norm_backward(gradient, seen, scale.detach())
    for mine, theirs in zip(found, (x.grad, scale.grad, shift.grad), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-6, atol=1e-7)
    assert float(found[0].sum(0).abs().max() if x.ndim == 2 else found[0].sum((0, 2, 3)).abs().max()) < 1e-9


@pytest.mark.craft("NO03")
def test_in_evaluation_an_answer_does_not_depend_on_its_batch() -> None:
    torch.manual_seed(0)
    norm = nn.BatchNorm1d(4)
    for _ in range(50):
        norm(torch.randn(32, 4) * 2 + 1)
    x = torch.randn(8, 4) * 2 + 1
    in_training = [norm(x)[:1], norm(torch.cat([x[:1], x[4:]]))[:1]]
    norm.eval()
    in_evaluation = [norm(x)[:1], norm(torch.cat([x[:1], x[4:]]))[:1]]
    torch.testing.assert_close(*in_evaluation, rtol=0, atol=1e-6)
    assert not torch.allclose(*in_training, atol=1e-3)
    gap = (in_training[0] - in_evaluation[0]).detach().abs().max()
    assert float(gap) > 0.01, "training and evaluation differ"
    torch.testing.assert_close(norm.running_mean, torch.ones(4), rtol=0, atol=0.3)
    torch.testing.assert_close(norm.running_var, torch.full((4,), 4.0), rtol=0.3, atol=0)


@pytest.mark.craft("NO08", "NO09", "NO10")
@given(st.sampled_from([1, 2, 4]), st.integers(1, 3), st.integers(2, 4))
def test_layer_instance_and_group_norm_are_one(groups: int, batch: int, side: int) -> None:
    x, scale, shift = some((batch, 4, side, side)), some((4,), 1), some((4,), 2)
    found = group_norm(x, groups, scale, shift)
    torch.testing.assert_close(found, F.group_norm(x, groups, scale, shift), rtol=1e-5, atol=1e-5)
    if groups == 1:
        each = [scale[:, None, None].expand(4, side, side), shift[:, None, None].expand(4, side, side)]
        torch.testing.assert_close(found, F.layer_norm(x, [4, side, side], *each), rtol=1e-5, atol=1e-5)
    if groups == 4:
        torch.testing.assert_close(
            found, F.instance_norm(x, None, None, scale, shift, use_input_stats=True), rtol=1e-5, atol=1e-5
        )


@pytest.mark.craft("NO08", "NO09", "NO10")
@pytest.mark.parametrize("groups", [1, 2, 4])
def test_what_is_normalised_by_itself_does_not_know_its_batch(groups: int) -> None:
    many = some((32, 4, 3, 3))
    ones, zeros = torch.ones(4).double(), torch.zeros(4).double()
    changed = torch.cat([many[:1], many[1:] * 100])
    alone, together, other = (group_norm(x, groups, ones, zeros)[:1] for x in (many[:1], many, changed))
    torch.testing.assert_close(alone, together, rtol=0, atol=1e-12)
    torch.testing.assert_close(together, other, rtol=0, atol=1e-12)


@pytest.mark.craft("NO11")
def test_weight_norm_sets_length_and_direction_apart() -> None:
    torch.manual_seed(0)
    layer = nn.utils.parametrizations.weight_norm(nn.Linear(5, 3, bias=False), dim=0)
    length, direction = layer.parametrizations.weight.original0, layer.parametrizations.weight.original1
    length.data = torch.tensor([[0.5], [1.0], [2.0]])
    by_hand = length * direction / direction.norm(dim=1, keepdim=True)
    torch.testing.assert_close(layer.weight, by_hand)
    torch.testing.assert_close(layer.weight.norm(dim=1), length[:, 0])
    layer(torch.randn(4, 5)).square().sum().backward()
    along = (direction.grad * direction).sum(1)
    torch.testing.assert_close(along, torch.zeros(3), rtol=0, atol=1e-5)


def test_a_single_value_has_no_variance() -> None:
    one = torch.ones(4)
    with pytest.raises(RecipeError, match="more than one value"):
        batch_norm(torch.ones(1, 4), one, one)
    with pytest.raises(RecipeError, match="3 groups do not divide 4"):
        group_norm(torch.ones(1, 4), 3, one, one)
