"""Optimisers by name: the right class, the field's defaults, groups, and refusals."""

import math

import pytest
import torch
from torch import nn

from osler.structures.errors import RecipeError
from osler.training.choices import USUAL, choose_lr, choose_optimizer, choose_weight_decay, scaled_lr
from osler.training.optimizer import OPTIMIZERS, build_optimizer
from osler.training.section import TrainSection

NAMES = sorted(OPTIMIZERS)
FIRST_ORDER = [n for n in NAMES if n != "lbfgs"]


def network() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.PReLU(4), nn.Flatten(), nn.LayerNorm(16), nn.Linear(16, 2)
    )


def build(module: nn.Module, batch_size: int = 32, **values: object) -> torch.optim.Optimizer:
    return build_optimizer(TrainSection(**values), module, batch_size=batch_size)


def names_in(group: dict, module: nn.Module) -> set[str]:
    by_id = {id(p): n for n, p in module.named_parameters()}
    return {by_id[id(p)] for p in group["params"]}


def test_every_name_has_its_usual_values_and_the_other_way_round() -> None:
    assert set(USUAL) == set(OPTIMIZERS)


@pytest.mark.parametrize(
    ("name", "kind", "values"),
    [
        ("sgd", torch.optim.SGD, {"lr": 0.1, "momentum": 0, "nesterov": False}),
        ("momentum", torch.optim.SGD, {"lr": 0.01, "momentum": 0.9, "nesterov": False}),
        ("nesterov", torch.optim.SGD, {"lr": 0.01, "momentum": 0.9, "nesterov": True}),
        ("adagrad", torch.optim.Adagrad, {"lr": 0.01, "eps": 1e-10}),
        ("rmsprop", torch.optim.RMSprop, {"lr": 0.001, "alpha": 0.9, "eps": 1e-8}),
        ("adam", torch.optim.Adam, {"lr": 0.001, "betas": (0.9, 0.999), "eps": 1e-8}),
        ("adamw", torch.optim.AdamW, {"lr": 0.001, "betas": (0.9, 0.999), "weight_decay": 0.01}),
        ("lbfgs", torch.optim.LBFGS, {"lr": 1.0, "history_size": 10, "line_search_fn": "strong_wolfe"}),
    ],
)
def test_defaults(name: str, kind: type, values: dict) -> None:
    optimizer = build(network(), optimizer=name)
    assert type(optimizer) is kind
    assert {k: optimizer.param_groups[0][k] for k in values} == values


def test_decay_is_on_weights_only_and_frozen_parameters_are_left_out() -> None:
    module = network()
    module[0].bias.requires_grad_(False)
    decayed, others = build(module, optimizer="adamw", weight_decay=0.05).param_groups
    assert names_in(decayed, module) == {"0.weight", "5.weight"}
    assert names_in(others, module) == {"1.weight", "1.bias", "2.weight", "4.weight", "4.bias", "5.bias"}
    assert (decayed["weight_decay"], others["weight_decay"]) == (0.05, 0.0)


def test_a_norm_of_ones_own_with_many_dimensions_is_not_decayed() -> None:
    class FilterResponseNorm(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.gamma = nn.Parameter(torch.ones(1, 3, 1, 1))

    class Thresholded(FilterResponseNorm):
        pass

    module = nn.Sequential(Thresholded(), nn.Conv2d(3, 3, 1, bias=False))
    others, decayed = build(module, optimizer="sgd").param_groups
    assert (names_in(decayed, module), names_in(others, module)) == ({"1.weight"}, {"0.gamma"})
    assert (decayed["weight_decay"], others["weight_decay"]) == (5e-4, 0.0)


def test_without_penalties_one_group_serves_all() -> None:
    (group,) = build(network(), optimizer="adam").param_groups
    assert len(group["params"]) == len(list(network().parameters()))


def test_lr_scales_multiply_by_the_first_pattern_that_fits() -> None:
    module = network()
    module.lr_scales = {"0.*": 0.1, "*.bias": 3.0}
    groups = build(module, optimizer="sgd", lr=0.5, weight_decay=0).param_groups
    lrs = {name: g["lr"] for g in groups for name in names_in(g, module)}
    assert lrs["0.weight"] == lrs["0.bias"] == pytest.approx(0.05)
    assert lrs["5.bias"] == pytest.approx(1.5)
    assert lrs["5.weight"] == 0.5


@pytest.mark.parametrize(
    ("scales", "said"),
    [({"conv*": 0.1}, "fits no parameter"), ({"0.*": 0.0}, "positive"), ({"0.*": math.inf}, "positive")],
)
def test_impossible_lr_scales_are_refused(scales: dict, said: str) -> None:
    module = network()
    module.lr_scales = scales
    with pytest.raises(RecipeError, match=said):
        build(module)


@pytest.mark.parametrize(("rule", "expected"), [("none", 0.1), ("linear", 0.4), ("sqrt", 0.2)])
def test_lr_follows_the_batch_by_the_rule(rule: str, expected: float) -> None:
    optimizer = build(network(), 1024, optimizer="sgd", lr=0.1, lr_scaling=rule, lr_batch_size=256)
    assert optimizer.param_groups[0]["lr"] == pytest.approx(expected)
    assert scaled_lr(0.1, batch_size=1024, rule=rule, reference=256) == pytest.approx(expected)


@pytest.mark.filterwarnings("ignore:Sparse invariant checks:UserWarning")
def test_auto_is_chosen_with_reasons() -> None:
    assert type(build(network())) is torch.optim.AdamW
    for value, reason in (choose_optimizer(network()), choose_lr("adam"), choose_weight_decay("momentum")):
        assert value
        assert len(reason.split()) > 3
    sparse = nn.Sequential(nn.Embedding(5, 4, sparse=True))
    assert choose_optimizer(sparse)[0] == "adagrad"
    optimizer = build(sparse)
    sparse(torch.tensor([1])).sum().backward()
    before = sparse[0].weight.detach().clone()
    optimizer.step()
    moved = (sparse[0].weight != before).any(1)
    assert moved.tolist() == [False, True, False, False, False]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"optimizer": "adamm"}, "Did you mean 'adam'"),
        (
            {"optimizer": "adam", "optimizer_options": {"beta": [0.9, 0.99]}},
            r"Did you mean 'betas'\? Allowed: amsgrad, betas, eps",
        ),
        ({"optimizer": "adam", "optimizer_options": {"betas": [0.9, 1.0]}}, "betas"),
        (
            {"optimizer": "adam", "optimizer_options": {"eps": "small"}},
            r"eps = 'small' is not possible for the optimiser adam",
        ),
        ({"optimizer": "adam", "optimizer_options": {"lr": 0.1}}, "Write train.lr=0.1"),
        ({"optimizer": "sgd", "optimizer_options": {"momentum": 0.5}}, "Write train.momentum=0.5"),
        ({"optimizer": "nesterov", "optimizer_options": {"dampening": 0.5}}, "has no option"),
        ({"optimizer": "momentum", "momentum": 0.0}, "Use optimizer=sgd"),
        ({"optimizer": "lbfgs", "weight_decay": 0.1}, "lbfgs"),
        ({"optimizer": "lbfgs", "l1": 0.1}, "lbfgs"),
        ({"optimizer": "lbfgs", "optimizer_options": {"max_iter": 10, "max_eval": 3}}, "max_eval 3"),
    ],
)
def test_wrong_values_are_refused_with_a_sentence(values: dict, said: str) -> None:
    with pytest.raises(RecipeError, match=said):
        build(network(), **values)


def test_a_frozen_network_is_refused() -> None:
    with pytest.raises(RecipeError, match="Unfreeze"):
        build(network().requires_grad_(False))


def test_lbfgs_refuses_lr_scales() -> None:
    module = network()
    module.lr_scales = {"0.*": 0.1}
    with pytest.raises(RecipeError, match="lbfgs"):
        build(module, optimizer="lbfgs")


@pytest.mark.parametrize("name", NAMES)
def test_each_optimiser_lowers_a_loss_and_its_state_goes_round(name: str) -> None:
    torch.manual_seed(0)
    inputs, targets = torch.randn(16, 3, 4, 4), torch.arange(16) % 2

    def make() -> tuple[nn.Module, torch.optim.Optimizer]:
        torch.manual_seed(1)
        module = network().eval()
        return module, build(module, optimizer=name)

    def train(module: nn.Module, optimizer: torch.optim.Optimizer, updates: int) -> float:
        def closure() -> torch.Tensor:
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(module(inputs), targets)
            loss.backward()
            return loss

        for _ in range(updates):
            optimizer.step(closure)
        return closure().item()

    module, optimizer = make()
    first = train(module, optimizer, 0)
    train(module, optimizer, 3)
    weights = {k: v.clone() for k, v in module.state_dict().items()}
    state = torch.load(_saved(optimizer.state_dict()), weights_only=True)
    last = train(module, optimizer, 5)
    assert last < first
    again, resumed = make()
    again.load_state_dict(weights)
    resumed.load_state_dict(state)
    assert train(again, resumed, 5) == last


def _saved(state: dict) -> object:
    from io import BytesIO

    buffer = BytesIO()
    torch.save(state, buffer)
    buffer.seek(0)
    return buffer


@pytest.mark.parametrize("name", FIRST_ORDER)
def test_the_fast_implementation_equals_the_plain_one(name: str) -> None:
    torch.manual_seed(0)
    module, plain = network().double(), network().double()
    plain.load_state_dict(module.state_dict())
    fast = build(module, optimizer=name)
    slow = build(plain, optimizer=name)
    for group in slow.param_groups:
        group.update({k: False for k in ("fused", "foreach") if k in group})
    for _ in range(5):
        for p, q in zip(module.parameters(), plain.parameters(), strict=True):
            p.grad = torch.randn_like(p)
            q.grad = p.grad.clone()
        fast.step()
        slow.step()
    for p, q in zip(module.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(p, q, rtol=1e-12, atol=1e-12)
