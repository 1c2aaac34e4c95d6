"""The gradient checker: right gradients pass, planted faults are named with their tensor, kinks are said, nothing changes."""

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

import osler
from osler.structures.errors import RecipeError


class Spoilt(torch.autograd.Function):
    """Passes on; goes back with a factor that is not 1."""

    @staticmethod
    def forward(context: Any, x: Tensor, factor: float) -> Tensor:
        context.factor = factor
        return x.view_as(x)

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return context.factor * gradient, None


class Net(nn.Module):
    """Smooth, with what a check must not disturb: batch statistics, dropout."""

    def __init__(self, factor: float = 1.0) -> None:
        super().__init__()
        self.conv, self.norm, self.head = nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.Linear(3, 2)
        self.drop, self.factor = nn.Dropout(0.3), factor

    def forward(self, x: Tensor) -> Tensor:
        y = torch.tanh(self.norm(Spoilt.apply(self.conv(x), self.factor)))
        return self.head(self.drop(y).mean((2, 3)))


def picture() -> Tensor:
    return torch.randn(3, 2, 5, 5, generator=torch.Generator().manual_seed(0))


def net(factor: float = 1.0) -> Net:
    torch.manual_seed(0)
    return Net(factor)


@pytest.mark.craft("FB03")
def test_right_gradients_pass() -> None:
    report = osler.check_gradients(net(), picture())
    assert report
    assert report.relative_error < 1e-6
    assert {t.name for t in report.tensors} == {*dict(net().named_parameters()), "input 0"}
    assert not report.kinks
    assert "The gradients are right." in str(report)


@pytest.mark.craft("FB03")
@pytest.mark.parametrize("factor", [-1.0, 2.0, 0.5, 1.05])
def test_a_wrong_sign_or_factor_is_found_with_its_tensors(factor: float) -> None:
    report = osler.check_gradients(net(factor), picture())
    assert not report
    assert report.relative_error > 1e-2
    assert {t.name for t in report.wrong} == {"conv.weight", "input 0"}, "the bias before batch norm has no gradient"
    worst = report.wrong[0]
    assert worst.backpropagated == pytest.approx(factor * worst.measured, rel=1e-3)
    assert "WRONG" in str(report)


@pytest.mark.craft("FB03")
@pytest.mark.parametrize("layer", [nn.ReLU(), nn.LeakyReLU(0.1), nn.Hardtanh(-1.0, 1.0), nn.ReLU6()])
def test_a_kink_is_said_with_its_unit_and_its_distance(layer: nn.Module) -> None:
    bend = -1.0 if type(layer) is nn.Hardtanh else 0.0
    x = torch.tensor([[0.7, bend + 3e-6, -0.4]], dtype=torch.float64)
    report = osler.check_gradients(nn.Sequential(layer), x)
    (kink,) = report.kinks
    assert kink.tensor == "input 0"
    assert kink.index == (0, 1)
    assert kink.offset == pytest.approx(-3e-6, abs=3e-7)
    assert [(u.layer, u.kind, u.unit) for u in kink.units] == [("0", type(layer).__name__, (0, 1))]
    assert type(layer).__name__ in str(report)
    assert report, "beside a kink the gradient is right"


def test_on_a_kink_the_slope_of_either_side_is_right_and_another_is_not() -> None:
    x = torch.zeros(1, 2, dtype=torch.float64)
    assert osler.check_gradients(nn.ReLU(), x).kinks
    assert osler.check_gradients(nn.ReLU(), x)

    def wrong(z: Tensor) -> Tensor:
        return Spoilt.apply(z, -1.0).clamp(min=0) + 0.1 * z * 0

    away = torch.tensor([[0.5, -0.5]], dtype=torch.float64)
    assert not osler.check_gradients(wrong, away)


def test_a_changing_winner_of_a_max_is_a_kink() -> None:
    x = torch.tensor([[[[1.0, 1.0 + 2e-6], [0.2, -0.3]]]], dtype=torch.float64)
    report = osler.check_gradients(nn.Sequential(nn.MaxPool2d(2)), x)
    assert {kink.index[-1] for kink in report.kinks} == {0, 1}
    assert {u.kind for kink in report.kinks for u in kink.units} == {"MaxPool2d"}
    inside = osler.check_gradients(lambda z: torch.relu(z).sum(), torch.tensor([1e-6, 1.0]))
    assert "a function outside of modules" in str(inside.kinks[0])


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 1000), classes=st.integers(2, 5), batch=st.integers(1, 4))
def test_losses_pass_and_a_scaled_one_does_not(seed: int, classes: int, batch: int) -> None:
    z = torch.randn(batch, classes, generator=torch.Generator().manual_seed(seed))
    target = torch.arange(batch) % classes
    assert osler.check_gradients(nn.CrossEntropyLoss(), z, target).relative_error < 1e-6
    report = osler.check_gradients(lambda x, t: nn.functional.cross_entropy(Spoilt.apply(x, 1.1), t), z, target)
    assert [t.name for t in report.wrong] == ["input 0"]


def test_tensors_in_tuples_and_dictionaries_are_checked() -> None:
    def subject(pair: tuple[Tensor, Tensor], named: dict[str, Tensor]) -> dict[str, Any]:
        return {"sum": [pair[0] * pair[1], Spoilt.apply(named["x"], -1.0)], "name": "no tensor"}

    x = torch.randn(3)
    report = osler.check_gradients(subject, (x, x + 1), {"x": x, "n": torch.arange(3)})
    assert [t.name for t in report.tensors] == ["input 0[0]", "input 0[1]", "input 1['x']"]
    assert [t.name for t in report.wrong] == ["input 1['x']"]


def test_a_tensor_that_backpropagation_does_not_reach_is_missed() -> None:
    class Cut(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Linear(2, 2), nn.Linear(2, 2)

        def forward(self, x: Tensor) -> Tensor:
            return self.b(self.a(x).detach())

    torch.manual_seed(0)
    report = osler.check_gradients(Cut(), torch.randn(2, 2))
    assert not report
    assert {t.name for t in report.wrong} == {"a.weight", "a.bias", "input 0"}
    assert not osler.check_gradients(lambda x: (x**2).detach().sum(), torch.ones(3)), "none is reached"


def test_everything_stays_as_it_is() -> None:
    model = net().train()
    model.norm.eval()
    x = picture().requires_grad_()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    (model(x).sum()).backward()
    gradients = {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}
    wanted, state = x.detach().clone(), torch.random.get_rng_state()
    assert osler.check_gradients(model, x)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.equal(x.detach(), wanted)
    assert (model.training, model.norm.training) == (True, False)
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name])
        assert value.dtype == before[name].dtype
    assert all(torch.equal(p.grad, gradients[n]) for n, p in model.named_parameters() if p.grad is not None)
    assert not any(m._forward_hooks for m in model.modules())


def test_the_buffers_of_a_module_that_a_function_uses_come_back() -> None:
    norm = nn.BatchNorm1d(3).double()
    assert osler.check_gradients(lambda x: torch.sigmoid(norm(x)), torch.randn(4, 3))
    assert torch.equal(norm.running_mean, torch.zeros(3, dtype=torch.float64))  # type: ignore[arg-type]
    assert norm.num_batches_tracked == 0


@pytest.mark.parametrize(
    ("subject", "inputs", "says"),
    [
        (lambda n: n, (torch.arange(3),), "nothing to check"),
        (lambda x: "text", (torch.ones(2),), "no floating-point tensor"),
    ],
)
def test_what_cannot_be_checked_is_said(subject: Any, inputs: Any, says: str) -> None:
    with pytest.raises(RecipeError, match=says):
        osler.check_gradients(subject, *inputs)
