"""Update rules written out are PyTorch's, and do what the field says of them."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from osler.lab import update_rules as rules
from osler.training.optimizer import build_optimizer
from osler.training.section import TrainSection

START = np.array([-1.2, 1.0, 0.7])

CASES = [
    pytest.param("sgd", {"lr": 1e-3}, rules.sgd(lr=1e-3), marks=pytest.mark.craft("OP02", "OP24")),
    pytest.param("momentum", {"lr": 1e-3}, rules.momentum(lr=1e-3), marks=pytest.mark.craft("OP05", "OP24")),
    pytest.param("nesterov", {"lr": 1e-3}, rules.nesterov(lr=1e-3), marks=pytest.mark.craft("OP05", "OP24")),
    pytest.param("adagrad", {}, rules.adagrad(), marks=pytest.mark.craft("OP06", "OP24")),
    pytest.param("rmsprop", {}, rules.rmsprop(), marks=pytest.mark.craft("OP07", "OP24")),
    pytest.param("adam", {}, rules.adam(), marks=pytest.mark.craft("OP08", "OP24")),
    pytest.param("adamw", {}, rules.adamw(), marks=pytest.mark.craft("OP24")),
]


def gradient(place: np.ndarray) -> np.ndarray:
    """Of Rosenbrock's valley in three dimensions, written out for itself."""
    x = torch.tensor(place, requires_grad=True)
    (100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum().backward()
    return x.grad.numpy()


@pytest.mark.parametrize(("name", "values", "rule"), CASES)
def test_each_rule_is_that_of_torch_over_twenty_steps(name: str, values: dict, rule: rules.Rule) -> None:
    module = nn.Module()
    module.place = nn.Parameter(torch.tensor(START[None]))  # two dimensions: a weight, which decays
    decay = {} if name == "adamw" else {"weight_decay": 0}
    optimizer = build_optimizer(TrainSection(optimizer=name, **values, **decay), module, batch_size=1)
    path = rules.follow(rule, gradient, START, steps=20)
    for step in range(20):
        module.place.grad = torch.tensor(gradient(module.place.detach().numpy()[0]))[None]
        optimizer.step()
        assert np.abs(module.place.detach().numpy()[0] - path[step + 1]).max() < 1e-6
    assert np.abs(path[-1] - path[0]).max() > 1e-3


@pytest.mark.craft("OP06")
def test_adagrad_shrinks_with_the_root_of_time() -> None:
    steps = rules.steps_under_constant_gradient(rules.adagrad(), 3.0, steps=10_000)
    assert steps[[0, 99, 9999]] == pytest.approx([0.01, 0.001, 0.0001], rel=1e-6)


@pytest.mark.craft("OP07")
def test_rmsprop_forgets_where_adagrad_does_not() -> None:
    rmsprop = rules.steps_under_constant_gradient(rules.rmsprop(), 3.0, steps=200)
    assert rmsprop[-1] == pytest.approx(0.001, rel=1e-3)
    torch_default = torch.optim.RMSprop([torch.zeros(1, requires_grad=True)]).defaults["alpha"]
    built = build_optimizer(TrainSection(optimizer="rmsprop"), nn.Linear(1, 1), batch_size=1)
    assert (torch_default, built.defaults["alpha"]) == (0.99, 0.9)


@pytest.mark.craft("OP08")
@pytest.mark.parametrize("scale", [1e-4, 1e-2, 1.0, 1e2, 1e4])
def test_the_first_step_of_adam_is_lr_whatever_the_gradient(scale: float) -> None:
    (step,) = rules.steps_under_constant_gradient(rules.adam(), scale, steps=1)
    assert step == pytest.approx(0.001, rel=2e-4)
    (uncorrected,) = rules.steps_under_constant_gradient(rules.adam(correct=False), scale, steps=1)
    assert uncorrected == pytest.approx(0.001 * 0.1 / math.sqrt(0.001), rel=4e-3)
    assert uncorrected == pytest.approx(0.00316, rel=4e-3)
    module = nn.Linear(1, 1, bias=False)
    before = module.weight.item()
    module.weight.grad = torch.full((1, 1), scale)
    build_optimizer(TrainSection(optimizer="adam"), module, batch_size=1).step()
    assert before - module.weight.item() == pytest.approx(0.001, rel=2e-3)
