"""Backpropagation against central differences: right gradients pass, planted faults do not."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from osler.models.registry import create_model
from osler.ops.slopes import GradientCheck, compare_slopes
from osler.structures.batch import Batch
from osler.tasks.classification import Classification
from osler.training.gradient_check import check_first_step
from tiny_runs import PlainNet


class Wrong(torch.autograd.Function):
    """Passes on; goes back with a factor that is not 1."""

    @staticmethod
    def forward(context: object, x: Tensor, factor: float) -> Tensor:
        context.factor = factor  # type: ignore[attr-defined]
        return x.view_as(x)

    @staticmethod
    def backward(context: object, gradient: Tensor) -> tuple[Tensor, None]:
        return context.factor * gradient, None  # type: ignore[attr-defined]


class Faulty(nn.Module):
    """Twenty small layers, with something done to what goes back through one of them."""

    def __init__(self, fault: str = "") -> None:
        super().__init__()
        self.fault = fault
        self.layers = nn.ModuleList(nn.Linear(16, 16) for _ in range(20))
        self.head = nn.Linear(16, 10)

    def forward(self, images: Tensor) -> Tensor:
        x = images.flatten(1)[:, :16]
        for number, layer in enumerate(self.layers):
            y = layer(x)
            if number == 5 and self.fault:
                y = spoilt(y, self.fault)
            x = x + torch.relu(y)
        return self.head(x)


def spoilt(y: Tensor, fault: str) -> Tensor:
    return y.detach() if fault == "detached" else Wrong.apply(y, {"sign": -1.0, "scale": 2.0}[fault])


def checked(model: nn.Module, size: tuple[int, int, int] = (1, 8, 8)) -> GradientCheck:
    random = torch.Generator().manual_seed(0)
    batch = Batch(torch.randn(4, *size, generator=random), torch.tensor([0, 3, 5, 9]), torch.arange(4))
    return check_first_step(Classification(tuple("abcdefghij")), model, batch)


@pytest.mark.craft("WF03")
@pytest.mark.parametrize("fault", ["sign", "scale", "detached"])
def test_a_fault_in_one_layer_of_twenty_is_found(fault: str) -> None:
    torch.manual_seed(0)
    sound, sick = checked(Faulty()), checked(Faulty(fault))
    assert sound.passed
    assert sound.relative_error < 1e-3
    assert not sick.passed
    assert (sick.missing == 2) if fault == "detached" else (sick.relative_error > 1e-2)


@pytest.mark.craft("WF03")
@pytest.mark.parametrize(
    ("name", "options"),
    [("convnet", {"dropout": 0.5}), ("lenet5", {}), ("resnet20", {}), ("resnet56", {}), ("airbench", {})],
)
def test_our_networks_pass(name: str, options: dict[str, float]) -> None:
    torch.manual_seed(0)
    assert checked(create_model(name, num_classes=10, **options), (3, 32, 32)).passed


def test_the_model_and_the_random_numbers_stay_as_they_are() -> None:
    model = nn.Sequential(PlainNet(), nn.BatchNorm1d(10), nn.Dropout(0.5)).eval()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    torch.manual_seed(3)
    wanted = torch.rand(3)
    torch.manual_seed(3)
    assert checked(model).passed
    assert torch.equal(torch.rand(3), wanted)
    assert not model.training
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name])
        assert value.dtype == before[name].dtype
    assert all(p.grad is None for p in model.parameters())


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 1000), scale=st.floats(1e-3, 1e3))
def test_the_slope_of_a_known_function_is_exact(seed: int, scale: float) -> None:
    weights = torch.randn(7, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).requires_grad_()
    found = compare_slopes(lambda: scale * weights.square().sum(), [weights])
    assert found.backpropagated == pytest.approx(2 * scale * float(weights.detach().norm()), rel=1e-9)
    assert found.passed


def test_a_network_that_learns_nothing_does_not_pass() -> None:
    weights = torch.ones(3, dtype=torch.float64, requires_grad=True)
    assert not compare_slopes(lambda: (weights * 0).sum() + 1, [weights]).passed
