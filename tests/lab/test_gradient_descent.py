"""Batch, mini-batch, stochastic and online gradient descent on the digits."""

import pytest
import torch

from osler.lab import gradient_descent as lab
from osler.lab.digits_halves import digits_halves
from osler.lab.small_training import batches, mlp


@pytest.mark.craft("OP01")
def test_batch_descent_takes_a_path_that_the_order_cannot_change_and_costs_in_proportion() -> None:
    whole = [lab.descent_path(order_seed=seed, batch_size=898, epochs=10) for seed in (0, 1)]
    torch.testing.assert_close(whole[0], whole[1], rtol=1e-5, atol=1e-5)
    assert (whole[0].diff() < 0).all()
    stochastic = [lab.descent_path(order_seed=seed, batch_size=32, epochs=1) for seed in (0, 1)]
    assert (stochastic[0] - stochastic[1]).abs().max() > 0.05
    one = lab.step_cost(1)
    assert [lab.step_cost(n) for n in (10, 100, 898)] == [10 * one, 100 * one, 898 * one]


@pytest.mark.craft("OP02")
def test_the_mean_of_the_sample_gradients_is_the_full_gradient() -> None:
    data, network = digits_halves(), mlp()
    full = lab.flat_gradient(network, data.inputs, data.labels)
    rows = lab.sample_gradients(network, data.inputs, data.labels)
    torch.testing.assert_close(rows.mean(0), full, rtol=1e-3, atol=1e-6)
    one = lab.flat_gradient(network, data.inputs[5:6], data.labels[5:6])
    torch.testing.assert_close(rows[5], one, rtol=1e-4, atol=1e-6)
    # and so for the batches of an epoch, each weighted by its size
    parts = list(batches(898, 64, torch.Generator().manual_seed(0)))
    assert sorted(torch.cat(parts).tolist()) == list(range(898))
    mean = sum(len(p) * lab.flat_gradient(network, data.inputs[p], data.labels[p]) for p in parts) / 898
    torch.testing.assert_close(mean, full, rtol=1e-3, atol=1e-6)


@pytest.mark.craft("OP02", "OP03")
def test_the_estimate_is_unbiased_and_its_variance_goes_as_one_over_the_batch() -> None:
    rows = lab.gradient_noise(mlp(), (1, 4, 16, 64), draws=1000)
    for row in rows:
        assert row.variance == pytest.approx(row.predicted, rel=0.1)
        standard_error = (row.variance / 1000) ** 0.5
        full = lab.flat_gradient(mlp(), digits_halves().inputs, digits_halves().labels).norm().item()
        assert row.bias * full < 3 * standard_error
    slope = torch.tensor([r.variance for r in rows]).log().diff() / torch.tensor([1.0, 4, 16, 64]).log().diff()
    assert slope.tolist() == pytest.approx([-1, -1, -1], abs=0.1)


@pytest.mark.craft("OP04")
def test_online_learning_converges_with_a_small_or_a_decaying_rate_and_not_with_a_large_one() -> None:
    large, small, decaying = lab.online_learning(epochs=2)
    assert (large.lr, small.lr, decaying.schedule) == (0.5, 0.01, "polynomial")
    assert large.accuracy < 0.3
    assert small.accuracy > 0.9
    assert decaying.accuracy > 0.9


@pytest.mark.craft("OP05")
def test_momentum_needs_fewer_steps_in_an_ill_conditioned_valley() -> None:
    for condition in (10.0, 100.0, 1000.0):
        best = ((condition**0.5 - 1) / (condition**0.5 + 1)) ** 2
        plain = lab.steps_to_shrink(condition=condition, momentum=0.0)
        helped = lab.steps_to_shrink(condition=condition, momentum=best)
        assert helped < plain * 4 / condition**0.5  # sqrt(condition) times fewer, up to a factor
