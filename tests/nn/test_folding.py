"""Batch norms folded into convolutions: which pairs, and that the answers stay."""

from collections import OrderedDict

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from osler.nn.folding import fold_norms, foldable_pairs, folded_weights
from osler.nn.residual import BasicBlock, Bottleneck


def trained(model: nn.Module) -> nn.Module:
    """Norms as after a training, in evaluation and in float64."""
    for norm in model.modules():
        if isinstance(norm, nn.modules.batchnorm._BatchNorm):
            if norm.affine:
                nn.init.normal_(norm.weight, 1.0, 0.5)
                nn.init.normal_(norm.bias)
            if norm.running_mean is not None:
                norm.running_mean.normal_()
                norm.running_var.uniform_(0.2, 3)
    return model.double().eval().requires_grad_(False)


@settings(max_examples=20, deadline=None)
@given(
    dimensions=st.integers(1, 3),
    transposed=st.booleans(),
    groups=st.sampled_from([1, 2]),
    bias=st.booleans(),
    affine=st.booleans(),
)
def test_the_answers_stay(dimensions: int, transposed: bool, groups: int, bias: bool, affine: bool) -> None:
    name = f"Conv{'Transpose' if transposed else ''}{dimensions}d"
    conv = getattr(nn, name)(4, 6, 3, stride=2, groups=groups, bias=bias)
    model = trained(nn.Sequential(conv, getattr(nn, f"BatchNorm{dimensions}d")(6, affine=affine), nn.ReLU()))
    x = torch.randn(2, 4, *[7] * dimensions).double()
    before = model(x)
    assert fold_norms(model) == (0 if transposed and groups > 1 else 1)
    torch.testing.assert_close(model(x), before, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("block", "pairs"), [(BasicBlock, 3), (Bottleneck, 4)])
def test_pairs_are_found_by_the_flow_and_names_stay(block: type, pairs: int) -> None:
    model = trained(block(8, 4, stride=2))
    x = torch.randn(2, 8, 6, 6).double()
    before, names = model(x), [name for name, _ in model.named_modules()]
    assert fold_norms(model) == pairs
    assert not any(isinstance(m, nn.BatchNorm2d) for m in model.modules())
    assert [name for name, _ in model.named_modules()] == names
    torch.testing.assert_close(model(x), before, rtol=1e-12, atol=1e-12)


class Watched(nn.Module):
    """The convolution's output is needed by itself as well."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(2, 2, 3), nn.BatchNorm2d(2)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv(x)
        return self.norm(y) + y


class Repeated(nn.Module):
    """One convolution before two norms."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.one, self.two = nn.Conv2d(2, 2, 3, padding=1), nn.BatchNorm2d(2), nn.BatchNorm2d(2)

    def forward(self, x: Tensor) -> Tensor:
        return self.two(self.conv(self.one(self.conv(x))))


class OwnConv(nn.Conv2d):
    """Computes something else than its parent."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).square()


@pytest.mark.parametrize(
    "model",
    [
        Watched(),
        Repeated(),
        nn.Sequential(nn.Conv2d(2, 2, 3), nn.ReLU(), nn.BatchNorm2d(2)),
        nn.Sequential(nn.BatchNorm2d(2), nn.Conv2d(2, 2, 3)),
        nn.Sequential(nn.Conv2d(2, 2, 3), nn.BatchNorm2d(2, track_running_stats=False)),
        nn.Sequential(OwnConv(2, 2, 3), nn.BatchNorm2d(2)),
    ],
    ids=["used twice", "called twice", "activation between", "norm first", "no statistics", "own class"],
)
def test_what_cannot_be_folded_stays(model: nn.Module) -> None:
    model = trained(model)
    x = torch.randn(2, 2, 6, 6).double()
    before = model(x)
    assert fold_norms(model) == 0
    assert torch.equal(model(x), before)


class AsksForValues(nn.Module):
    """No symbol can pass through it; its parts can be read one by one."""

    def __init__(self) -> None:
        super().__init__()
        parts = [("conv", nn.Conv2d(2, 2, 3)), ("norm", nn.BatchNorm2d(2))]
        self.even, self.odd = nn.Sequential(OrderedDict(parts)), nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return self.even(x) if float(x.sum()) > 0 else self.odd(x)


def test_parts_of_what_cannot_be_traced_are_folded() -> None:
    model = trained(nn.Sequential(AsksForValues()))
    x = torch.rand(2, 2, 6, 6).double()
    before = model(x)
    assert list(foldable_pairs(model)) == [("0.even.conv", "0.even.norm")]
    assert fold_norms(model) == 1
    torch.testing.assert_close(model(x), before, rtol=1e-12, atol=1e-12)


def test_a_model_in_training_is_refused() -> None:
    with pytest.raises(ValueError, match="eval"):
        fold_norms(nn.Sequential(nn.Conv2d(2, 2, 3), nn.BatchNorm2d(2)))


def test_folded_weights_are_the_formula() -> None:
    norm = trained(nn.BatchNorm2d(3))
    kernel = torch.randn(3, 2, 3, 3).double()
    weights, bias = folded_weights(kernel, norm)
    gain = norm.weight / (norm.running_var + norm.eps).sqrt()
    torch.testing.assert_close(weights, kernel * gain[:, None, None, None])
    torch.testing.assert_close(bias, norm.bias - gain * norm.running_mean)
