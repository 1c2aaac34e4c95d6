"""L1 as a proximal step: the exact threshold, exact zeros, weights only."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from osler.training.optimizer import build_optimizer
from osler.training.proximal import soft_threshold
from osler.training.section import TrainSection


def module_and_optimizer(seed: int, **values: object) -> tuple[nn.Module, torch.optim.Optimizer]:
    torch.manual_seed(seed)
    module = nn.Sequential(nn.Linear(30, 8), nn.LayerNorm(8), nn.Linear(8, 2))
    return module, build_optimizer(TrainSection(**values), module, batch_size=1)


@given(seed=st.integers(0, 50), l1=st.floats(1e-3, 0.3))
def test_weights_move_towards_zero_by_the_threshold_and_nothing_else_moves(seed: int, l1: float) -> None:
    module, optimizer = module_and_optimizer(seed, optimizer="sgd", lr=0.5, l1=l1, weight_decay=0)
    before = {n: p.detach().clone() for n, p in module.named_parameters()}
    for p in module.parameters():
        p.grad = torch.zeros_like(p)
    module[2].weight.grad = None  # not in use in this step
    soft_threshold(optimizer, l1)
    first = before["0.weight"]
    expected = first.sign() * (first.abs() - 0.5 * l1).clamp(min=0)
    torch.testing.assert_close(module[0].weight.detach(), expected)
    for name, parameter in module.named_parameters():
        if name != "0.weight":
            assert torch.equal(parameter, before[name])


@pytest.mark.craft("RE04")
def test_l1_gives_exact_zeros_where_l2_gives_none() -> None:
    from sklearn.datasets import load_breast_cancer
    from sklearn.preprocessing import StandardScaler

    features, labels = load_breast_cancer(return_X_y=True)
    inputs = torch.tensor(StandardScaler().fit_transform(features), dtype=torch.float32)
    targets = torch.tensor(labels, dtype=torch.float32)

    def zeros_and_accuracy(**values: object) -> tuple[int, float]:
        model = nn.Linear(30, 1)
        nn.init.zeros_(model.weight)
        section = TrainSection(optimizer="sgd", lr=0.2, **values)
        optimizer = build_optimizer(section, model, batch_size=len(inputs))
        for _ in range(1000):
            optimizer.zero_grad()
            nn.functional.binary_cross_entropy_with_logits(model(inputs)[:, 0], targets).backward()
            optimizer.step()
            if section.l1:
                soft_threshold(optimizer, section.l1)
        right = ((model(inputs)[:, 0] > 0) == targets.bool()).float().mean().item()
        return int((model.weight == 0).sum()), right

    strength = 1 / (0.05 * len(inputs))  # scikit-learn's C = 0.05 on a mean loss
    sparse, l1_accuracy = zeros_and_accuracy(l1=strength, weight_decay=0.0)
    dense, l2_accuracy = zeros_and_accuracy(weight_decay=strength)
    assert sparse >= 20
    assert dense == 0
    assert min(l1_accuracy, l2_accuracy) > 0.95
