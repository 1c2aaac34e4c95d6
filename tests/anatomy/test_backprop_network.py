"""The worked backpropagation of whole networks: equal to autograd and to central differences, every number shown."""

import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from osler.anatomy.backprop.activation_rule import ActivationRule
from osler.anatomy.backprop.batch_norm_rule import BatchNormRule
from osler.anatomy.backprop.convolution_rule import ConvolutionRule
from osler.anatomy.backprop.dropout_rule import DropoutRule
from osler.anatomy.backprop.linear_rule import LinearRule
from osler.anatomy.backprop.loss_rules import CrossEntropyRule
from osler.anatomy.backprop.max_pool_rule import MaxPoolRule
from osler.anatomy.backprop.plain_formula import plain_formula
from osler.anatomy.backprop.worked import WorkedBackpropagation
from osler.anatomy.backprop.working import work_through
from osler.structures.errors import DataError, RecipeError

NUMBER = r"-?\d[\d.]*(?:e[+-]\d+)?\*?"
BLOCK = re.compile(rf"^ +(\S[^=]*?)(?:, (?:sample|output channel) [^=]*)? =(?: ((?:{NUMBER} *)+))?$")
ROW = re.compile(rf"^ {{12,}}((?:{NUMBER} *)+)$")


class Small(nn.Module):
    """The issue's network: convolution, batch norm, ReLU, max pooling, flatten, dropout, linear."""

    def __init__(self, p: float = 0.0) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(2, 3, 3, padding=1), nn.BatchNorm2d(3), nn.ReLU(inplace=True), nn.MaxPool2d(2)
        )
        self.drop, self.head = nn.Dropout(p), nn.Linear(27, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.drop(self.features(x).flatten(1)))


class Branches(nn.Module):
    """A shortcut, a concatenation, a gate, weights used twice, functions in place of modules."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.gate = nn.Conv2d(2, 2, 3, padding=1), nn.Conv2d(2, 2, 1), nn.Conv2d(2, 2, 1)
        self.head = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        y = nn.functional.relu(self.a(x), inplace=True)
        y = self.a(y) + x
        y *= torch.sigmoid(self.gate(y.mean((2, 3), keepdim=True)))
        y = torch.cat([y, nn.functional.avg_pool2d(self.b(x), 3, 1, 1)], dim=1)
        return self.head(y.mean((2, 3)))


def sample(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def small(p: float = 0.0) -> nn.Module:
    torch.manual_seed(0)
    return Small(p)


@pytest.fixture(scope="module")
def worked() -> WorkedBackpropagation:
    return work_through(small(), sample(3, 2, 6, 6), torch.tensor([0, 3, 1]), elements=10_000)


@pytest.fixture(scope="module")
def by_torch() -> dict[str, Tensor]:
    """Gradients by autograd alone, in double precision."""
    model, x = small().double(), sample(3, 2, 6, 6).double().requires_grad_()
    nn.functional.cross_entropy(model(x), torch.tensor([0, 3, 1])).backward()
    found = {"x(0)": x.grad} | {n: p.grad for n, p in model.named_parameters()}
    return {n: g for n, g in found.items() if g is not None}


def test_every_gradient_is_autograds_and_central_differences(
    worked: WorkedBackpropagation, by_torch: dict[str, Tensor]
) -> None:
    assert worked.agrees
    for name, gradient in by_torch.items():
        assert torch.allclose(worked.gradients[name], gradient, rtol=0, atol=1e-6), name
    for row in worked.differences:
        assert row.by_autograd < 1e-6
        measured = row.tensor == "x(0)" or not row.tensor.startswith(("x(", "loss"))
        assert (row.by_differences is not None) == measured
        if row.by_differences is not None:
            assert row.by_differences < 1e-4
            assert row.checked == torch.Size(row.shape).numel(), "all numbers were moved"
    assert [s.kind.split("(")[0] or s.name for s in worked.steps] == [
        "Conv2d", "BatchNorm2d", "ReLU", "MaxPool2d", "flatten", "Linear",
    ]  # fmt: skip


def figures(text: str) -> dict[str, list[float]]:
    """All tensors of the text, by their sign, their numbers one after another."""
    found: dict[str, list[float]] = {}
    symbol = ""
    for line in text.splitlines():
        if block := BLOCK.match(line):
            symbol = block[1]
            found.setdefault(symbol, []).extend(numbers(block[2] or ""))
        elif symbol and (row := ROW.match(line)):
            found[symbol].extend(numbers(row[1]))
        else:
            symbol = ""
    return found


def numbers(line: str) -> list[float]:
    return [float(n.rstrip("*")) for n in line.split()]


def test_every_number_is_in_the_text(worked: WorkedBackpropagation) -> None:
    shown = figures(worked.text())
    model = small().double()
    wanted = {plain_formula(f"x^{{({i})}}"): v for i, v in enumerate(worked.values)}
    wanted |= {plain_formula(rf"\delta^{{({i})}}"): worked.gradients[f"x({i})"] for i in range(len(worked.values))}
    places = {"features.0.weight": r"W^{(1)}", "features.0.bias": "b^{(1)}", "features.1.weight": r"\gamma^{(2)}",
              "features.1.bias": r"\beta^{(2)}", "head.weight": "W^{(6)}", "head.bias": "b^{(6)}"}  # fmt: skip
    for name, sign in places.items():
        wanted[plain_formula(sign)] = model.get_parameter(name).detach()
        wanted[plain_formula(rf"\frac{{\partial L}}{{\partial {sign}}}")] = worked.gradients[name]
    for sign, values in wanted.items():
        said, numel = torch.tensor(shown[sign], dtype=torch.float64), values.numel()
        assert len(said) in (numel, 2 * numel), sign  # what goes into a max pooling is shown a second time
        for part in said.split(numel):
            assert torch.allclose(part, values.flatten(), rtol=6e-4, atol=1e-15), sign
    assert "Shown: the first" not in worked.text(), "nothing was left out"


def test_max_pooling_names_the_winner_and_routes_to_it(worked: WorkedBackpropagation) -> None:
    text = worked.text()
    rows = re.search(r"δ⁽³⁾, sample 0, channel 0 =\n((?: {12,}.*\n){6})", text)
    assert rows is not None
    cells = [cell for row in rows[1].splitlines() for cell in row.split()]
    assert sum(cell.endswith("*") for cell in cells) == 9, "one winner in each of 9 windows"
    assert all(cell == "0" for cell in cells if not cell.endswith("*"))


def test_batch_norm_says_all_its_terms(worked: WorkedBackpropagation) -> None:
    shown = figures(worked.text())
    straight, variance, mean = (torch.tensor(shown[w]) for w in ("straight", "by the variance", "by the mean"))
    gradient = worked.gradients["x(1)"].flatten().float()
    assert torch.allclose(straight + variance + mean, gradient, rtol=2e-3, atol=2e-4)
    assert {"μ⁽²⁾", "v⁽²⁾", "∂L/∂μ⁽²⁾", "∂L/∂v⁽²⁾"} <= set(shown)


def test_branches_shared_weights_and_functions() -> None:
    torch.manual_seed(1)
    model, x = Branches(), sample(2, 2, 4, 4)
    worked = work_through(model, x, torch.tensor([2, 0]))
    assert worked.agrees, worked.verdict
    assert 0 in worked.sums, "the sample goes three ways"
    assert "adds up" in worked.text()
    assert "d" in worked.latex()
    assert worked.html()


def test_dropout_in_training_draws_by_the_seed() -> None:
    model, x, target = small(0.5), sample(3, 2, 6, 6), torch.tensor([0, 3, 1])
    one, same, other = (work_through(model, x, target, seed=s, elements=6) for s in (0, 0, 1))
    assert one.agrees
    assert one.loss == same.loss
    assert one.loss != other.loss
    assert "DROPOUT" in one.text().upper()


def test_the_model_and_the_random_numbers_stay_as_they_are() -> None:
    model = small(0.5)
    model.get_submodule("head").requires_grad_(False)
    model.get_submodule("features").eval()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    state = torch.random.get_rng_state()
    assert work_through(model, sample(3, 2, 6, 6), torch.tensor([0, 3, 1]), elements=4).agrees
    assert torch.equal(torch.random.get_rng_state(), state)
    assert all(torch.equal(v, before[k]) and v.dtype == before[k].dtype for k, v in model.state_dict().items())
    assert [p.requires_grad for p in model.parameters()] == [True] * 4 + [False] * 2
    assert all(p.grad is None for p in model.parameters())
    assert (model.training, model.get_submodule("features").training) == (True, False)
    assert model.get_submodule("features.2").inplace


def scaled(factor: float) -> Callable[[Any, Tensor], Any]:
    return lambda result, gradient: tuple(factor * part for part in result)


def wrong_winner(result: tuple[Tensor], gradient: Tensor) -> tuple[Tensor]:
    return (result[0].roll(1, -1),)


@pytest.mark.parametrize(
    ("rule", "fault", "sick"),
    [
        (LinearRule, scaled(-1.0), "features.0.weight"),
        (ConvolutionRule, scaled(1.01), "x(0)"),
        (BatchNormRule, scaled(0.999), "features.0.weight"),
        (ActivationRule, scaled(2.0), "features.1.bias"),
        (MaxPoolRule, wrong_winner, "features.1.weight"),
        (DropoutRule, scaled(0.5), "features.0.weight"),
    ],
)
def test_a_planted_error_in_a_rule_is_said(
    rule: type[Any], fault: Callable[..., Any], sick: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = rule.backward
    monkeypatch.setattr(rule, "backward", lambda self, gradient: fault(right(self, gradient), gradient))
    worked = work_through(small(0.4), sample(3, 2, 6, 6), torch.tensor([0, 3, 1]), elements=8)
    assert not worked.agrees
    assert sick in worked.verdict
    assert "WRONG" in worked.text()
    assert "differs" in worked.html()


def test_a_planted_error_in_parameters_or_loss_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    x, target = sample(3, 2, 6, 6), torch.tensor([0, 3, 1])
    with monkeypatch.context() as patch:
        right = BatchNormRule.parameter_gradients
        patch.setattr(BatchNormRule, "parameter_gradients", lambda self: {n: -g for n, g in right(self).items()})
        worked = work_through(small(), x, target, elements=4)
        assert [r.tensor for r in worked.differences if not r.agrees] == ["features.1.weight", "features.1.bias"]
    monkeypatch.setattr(CrossEntropyRule, "backward", lambda self: self.p.clone())
    monkeypatch.setattr(CrossEntropyRule, "say_backward", lambda self, z, dz: [])
    assert not work_through(small(), x, target, elements=4).agrees


class Asks(nn.Module):
    """Goes one way or another by what it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.small, self.large = nn.Linear(3, 2), nn.Linear(3, 2)

    def forward(self, x: Tensor, twice: bool = False) -> Tensor:
        if x.shape[1] != 3 or x.dim() != 2 or twice:
            raise ValueError("three features")
        return self.large(x).view(x.size(0), -1) if x.abs().max() > 1 else self.small(x)


class Uses(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.fft.fft(x).real


def test_a_network_that_asks_for_sizes_and_numbers_is_followed_for_this_sample() -> None:
    for scale, used, unused in ((10, "large", "small"), (0.01, "small", "large")):
        worked = work_through(Asks(), scale * sample(2, 3), torch.tensor([0, 1]))
        assert worked.agrees, worked.verdict
        assert f"{used}.weight" in worked.gradients
        assert f"{unused}.weight" not in worked.gradients


@pytest.mark.parametrize(
    ("model", "shape", "target", "error", "says"),
    [
        (
            Asks(),
            (2, 4),
            [0, 1],
            RecipeError,
            "Asks cannot be followed step by step on a sample of .2, 4. .ValueError: three",
        ),
        (Uses(), (2, 3), [0, 1], RecipeError, "fft"),
        (nn.Sequential(nn.Bilinear(2, 2, 2)), (2, 2), [0, 1], RecipeError, "Bilinear"),
        (nn.Sequential(nn.GroupNorm(1, 2)), (2, 2), [0, 1], RecipeError, "no worked rule"),
        (nn.Linear(3, 2), (2, 3), [0, 2], DataError, "a class from 0"),
        (nn.Linear(3, 2), (2, 3), [0], DataError, "a class from 0"),
        (nn.Sequential(nn.AvgPool2d((2, 3)), nn.Flatten()), (1, 1, 6, 6), [0], RecipeError, "square windows"),
        (nn.Conv2d(1, 1, 3, padding_mode="reflect", padding=1), (1, 1, 6, 6), [0], RecipeError, "zeros"),
    ],
)
def test_what_cannot_be_written_out_is_said(
    model: nn.Module, shape: tuple[int, ...], target: list[int], error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        work_through(model, sample(*shape), torch.tensor(target))
