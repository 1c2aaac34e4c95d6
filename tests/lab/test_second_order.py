"""Newton's method and the quasi-Newton methods against theory and SciPy."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize
from torch import nn

from osler.lab import second_order as lab
from osler.training.optimizer import build_optimizer
from osler.training.section import TrainSection

START = np.array([-1.2, 1.0])


def bowl(seed: int, n: int = 5) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    half = random.normal(size=(n, n))
    return half @ half.T + np.eye(n), random.normal(size=n)


@pytest.mark.craft("OP11")
@given(seed=st.integers(0, 50))
def test_one_step_of_newton_solves_a_quadratic(seed: int) -> None:
    hessian, middle = bowl(seed)
    descent = lab.newton(lambda w: hessian @ (w - middle), lambda w: hessian, np.zeros(5))
    assert descent.converged
    assert descent.iterations == 1
    assert descent.end == pytest.approx(middle, abs=1e-8)


@pytest.mark.craft("OP11")
def test_newton_needs_memory_by_the_square_and_work_by_the_cube() -> None:
    rows = lab.newton_costs((50, 100, 200))
    assert [r.hessian_bytes for r in rows] == [8 * 50**2, 8 * 100**2, 8 * 200**2]
    assert rows[2].multiply_adds / rows[1].multiply_adds == pytest.approx(8, rel=1e-3)
    assert all(r.seconds > 0 for r in rows)


@pytest.mark.slow
@pytest.mark.craft("OP11")
def test_the_time_of_newton_grows_faster_than_its_memory() -> None:
    rows = lab.newton_costs((1000, 2000, 4000))
    assert 2 < np.log2(rows[-1].seconds / rows[0].seconds) / 2 < 4


def test_the_gradient_of_rosenbrock() -> None:
    for seed in range(5):
        place = np.random.default_rng(seed).normal(size=4)
        x = torch.tensor(place, requires_grad=True)
        height = (100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()
        height.backward()
        assert lab.rosenbrock(place) == pytest.approx(height.item())
        assert lab.rosenbrock_gradient(place) == pytest.approx(x.grad.numpy())


@pytest.mark.craft("OP12")
@pytest.mark.parametrize("method", ["bfgs", "dfp", "l-bfgs"])
@pytest.mark.parametrize("start", [START, np.array([-1.0, 2.0, 0.5])], ids=["two", "three"])
def test_quasi_newton_methods_end_where_scipy_does_in_about_as_many_steps(method: str, start: np.ndarray) -> None:
    found = lab.minimise(lab.rosenbrock, lab.rosenbrock_gradient, start, method=method)
    reference = optimize.minimize(lab.rosenbrock, start, jac=lab.rosenbrock_gradient, method="BFGS")
    assert found.converged
    assert found.end == pytest.approx(reference.x, abs=1e-4)
    assert found.iterations < (8 if method == "dfp" else 1.5) * reference.nit  # DFP mends a bad curvature slowly


@pytest.mark.craft("OP12")
def test_gradient_descent_needs_many_times_the_iterations() -> None:
    fast = lab.minimise(lab.rosenbrock, lab.rosenbrock_gradient, START, method="bfgs")
    slow = lab.minimise(lab.rosenbrock, lab.rosenbrock_gradient, START, method="gradient descent", steps=1000)
    assert slow.iterations > 20 * fast.iterations
    assert lab.rosenbrock(slow.end) > lab.rosenbrock(fast.end)


@pytest.mark.craft("OP12")
@pytest.mark.parametrize("method", ["bfgs", "dfp"])
def test_the_secant_condition_holds_after_each_update(method: str) -> None:
    descent = lab.minimise(lab.rosenbrock, lab.rosenbrock_gradient, START, method=method)
    assert len(descent.secant_errors) == descent.iterations > 10
    assert max(descent.secant_errors) < 1e-8


@pytest.mark.craft("OP12")
@given(seed=st.integers(0, 100))
def test_bfgs_and_dfp_stay_symmetric_and_positive_and_lbfgs_is_bfgs_unwritten(seed: int) -> None:
    random = np.random.default_rng(seed)
    hessian, _ = bowl(seed, 4)
    bfgs, dfp, pairs = np.eye(4), np.eye(4), []
    for _ in range(3):
        step = random.normal(size=4)
        change = hessian @ step
        bfgs, dfp = lab.bfgs_update(bfgs, step, change), lab.dfp_update(dfp, step, change)
        pairs.append((step, change))
        for inverse in (bfgs, dfp):
            assert inverse @ change == pytest.approx(step, abs=1e-6)
            assert inverse == pytest.approx(inverse.T, abs=1e-6)
            assert np.linalg.eigvalsh(inverse).min() > 0
    slope = random.normal(size=4)
    assert lab.lbfgs_direction(slope, pairs) == pytest.approx(-bfgs @ slope, rel=1e-6, abs=1e-6)


@pytest.mark.craft("OP12")
def test_the_lbfgs_of_a_recipe_solves_rosenbrock() -> None:
    module = nn.Module()
    module.place = nn.Parameter(torch.tensor(START))
    optimizer = build_optimizer(TrainSection(optimizer="lbfgs"), module, batch_size=1)
    evaluations = []

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        x, y = module.place
        loss = 100 * (y - x**2) ** 2 + (1 - x) ** 2
        loss.backward()
        evaluations.append(loss.item())
        return loss

    for _ in range(5):
        optimizer.step(closure)
    assert module.place.tolist() == pytest.approx([1, 1], abs=1e-5)
    assert len(evaluations) < 100
