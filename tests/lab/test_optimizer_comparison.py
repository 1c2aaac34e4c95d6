"""Optimisers side by side."""

from io import BytesIO

import pytest

from osler.lab.optimizer_comparison import curves, draw, trajectories, tuned

SEEN = ("sgd", "momentum", "rmsprop", "adam")


@pytest.mark.craft("OP19")
def test_trajectories_and_curves_stand_on_one_page() -> None:
    ways, courses = trajectories(SEEN), curves(SEEN)
    for way in ways:
        assert way.places.shape == (100, 2)
        assert way.heights[0] == 27.0  # (4 + 50) / 2 at (-2, 1)
        assert way.heights[-1] < 0.01
    heights = {w.optimizer: w.heights[-1] for w in ways}
    assert heights["momentum"] < heights["sgd"]
    for course in courses:
        assert len(course.losses) == 3 * 29
        assert course.accuracy > 0.8
    figure = draw(ways, courses)
    valley, training = figure.axes
    assert len(training.lines) == len(valley.lines) == len(SEEN)
    drawn = valley.lines[1].get_xydata()
    assert drawn == pytest.approx(ways[1].places.numpy())
    buffer = BytesIO()
    figure.savefig(buffer, format="png")
    assert buffer.getvalue().startswith(b"\x89PNG")


@pytest.mark.craft("OP10")
def test_tuned_momentum_and_adam_end_alike_on_the_digits() -> None:
    momentum = tuned("momentum", (0.01, 0.1), epochs=8, seeds=(0, 1))
    adam = tuned("adam", (0.001, 0.01), epochs=8, seeds=(0, 1))
    for result in (momentum, adam):
        assert len(result.accuracies) == 2
        assert result.mean > 0.95
        assert 0 <= result.deviation < 0.02
    assert abs(momentum.mean - adam.mean) < 0.02


@pytest.mark.slow
@pytest.mark.craft("OP10")
def test_tuned_on_five_seeds_neither_is_better_by_two_deviations() -> None:
    seeds = range(5)
    momentum = tuned("momentum", (0.01, 0.03, 0.1, 0.3), seeds=seeds)
    adam = tuned("adam", (0.0003, 0.001, 0.003, 0.01, 0.03), seeds=seeds)
    assert min(momentum.mean, adam.mean) > 0.96
    assert abs(momentum.mean - adam.mean) < 2 * max(momentum.deviation, adam.deviation)
