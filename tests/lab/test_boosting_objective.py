"""L + Omega of boosted trees: printed, lowered by every round, and by as much as the equations say."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from osler.lab.boosting_objective import (
    LOGISTIC,
    SQUARED,
    Loss,
    Penalty,
    best_split,
    boost,
    diabetes_rounds,
    grow,
    tumour_rounds,
)


@pytest.mark.craft("LO09")
@pytest.mark.parametrize("experiment", [diabetes_rounds, tumour_rounds])
def test_the_objective_is_printed_and_every_round_lowers_it(experiment, capsys: pytest.CaptureFixture[str]) -> None:
    boosting = experiment(rounds=12, penalty=Penalty(gamma=0.05, lambda_=2.0))
    print(boosting)
    rows = [[float(v) for v in line.split()] for line in capsys.readouterr().out.splitlines()[1:]]
    assert len(rows) == 13
    for _, _, loss, omega, objective in rows:
        assert objective == pytest.approx(loss + omega, abs=2e-4)
    objectives = [row[4] for row in rows]
    assert all(later < earlier for earlier, later in pairwise(objectives))
    assert objectives[-1] < 0.6 * objectives[0]
    assert all(later[3] > earlier[3] for earlier, later in pairwise(rows))  # Omega is paid for, and grows


@pytest.mark.craft("LO09")
def test_for_the_squared_error_a_round_lowers_it_by_exactly_the_score_of_its_tree() -> None:
    for penalty in (Penalty(0.0, 1.0), Penalty(0.5, 3.0)):
        rounds = diabetes_rounds(rounds=8, penalty=penalty).rounds
        for before, after in pairwise(rounds):
            assert before.objective - after.objective == pytest.approx(after.expected, rel=1e-9)


@pytest.mark.craft("LO09")
@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), gamma=st.floats(0, 2), lambda_=st.floats(0.1, 5))
def test_a_split_and_its_leaves_are_the_best_there_are(seed: int, gamma: float, lambda_: float) -> None:
    random, penalty = np.random.default_rng(seed), Penalty(gamma, lambda_)
    x, g, h = random.integers(0, 4, (12, 3)).astype(float), random.normal(size=12), random.random(12)

    def lowest(rows: np.ndarray) -> float:
        """Of the leaf's own objective, over a fine grid of weights: no formula."""
        weights = np.linspace(-40, 40, 80_001)
        return float((g[rows].sum() * weights + (h[rows].sum() + lambda_) * weights**2 / 2).min()) + gamma

    everyone = np.ones(12, dtype=bool)
    tried = {
        (f, t): lowest(x[:, f] <= t) + lowest(x[:, f] > t)
        for f in range(3)
        for t in (0.5, 1.5, 2.5, 1.0, 2.0)
        if 0 < (x[:, f] <= t).sum() < 12
    }
    alone, best = lowest(everyone), min(tried.values(), default=np.inf)
    found = best_split(x, np.argsort(x, axis=0, kind="stable"), g, h, everyone, penalty=penalty)
    tree = grow(x, np.argsort(x, axis=0, kind="stable"), g, h, penalty=penalty, depth=1)
    if abs(best - alone) > 1e-3:
        assert (found is not None) == (best < alone)
    if abs(best - alone) > 1e-3 or found is None:
        assert tree.score == pytest.approx(min(alone, best) if found else alone, abs=1e-3)


@pytest.mark.parametrize("loss", [SQUARED, LOGISTIC])
def test_gradient_and_curvature_are_the_derivatives_of_the_loss(loss: Loss) -> None:
    raw = torch.linspace(-6, 6, 41, dtype=torch.float64, requires_grad=True)
    y = (torch.arange(41) % 2).double()
    value = (raw - y) ** 2 / 2 if loss is SQUARED else torch.nn.functional.binary_cross_entropy_with_logits(
        raw, y, reduction="none"
    )  # fmt: skip
    (first,) = torch.autograd.grad(value.sum(), raw, create_graph=True)
    (second,) = torch.autograd.grad(first.sum(), raw)
    given_ = y.numpy(), raw.detach().numpy()
    np.testing.assert_allclose(loss.value(*given_), value.detach().numpy(), atol=1e-12)
    np.testing.assert_allclose(loss.gradient(*given_), first.detach().numpy(), atol=1e-12)
    np.testing.assert_allclose(loss.curvature(*given_), second.detach().numpy(), atol=1e-12)


@pytest.mark.craft("LO09")
def test_a_leaf_that_costs_more_than_it_brings_is_not_grown() -> None:
    random = np.random.default_rng(0)
    x, y = random.normal(size=(60, 2)), random.normal(size=60)
    free, dear = (boost(x, y, penalty=Penalty(gamma, 1.0), rounds=5) for gamma in (0.0, 2.0))
    assert sum(r.leaves for r in dear.rounds) < sum(r.leaves for r in free.rounds)
    assert len(boost(x, y, penalty=Penalty(1e6, 1.0)).rounds) == 1
    assert np.square(boost(x, y, penalty=Penalty(0, 100.0)).predictions).sum() < np.square(free.predictions).sum()
