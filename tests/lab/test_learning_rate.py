"""Learning rates: labelled curves, and how they scale with the batch."""

import math

import pytest

from osler.lab.learning_rate import descend_digits, find_lr, label_curve, learning_rate_curves
from osler.lab.linear_scaling import scaling
from osler.training.choices import scaled_lr


@pytest.mark.craft("OP14")
def test_the_range_test_returns_a_rate_that_trains_and_the_curves_label_themselves() -> None:
    found = find_lr()
    assert 0.01 < found.suggestion < 1
    slow, ok, oscillating, diverging = learning_rate_curves()
    assert ok.lr == pytest.approx(found.suggestion)
    assert [c.label for c in (slow, ok, oscillating, diverging)] == ["slow", "ok", "oscillating", "diverging"]
    assert ok.losses[-1] < 0.3 * ok.losses[0]


@pytest.mark.parametrize(
    ("losses", "label"),
    [
        ([2.0, 1.9, 1.8, 1.7], "slow"),
        ([2.0, 1.0, 0.5, 0.25], "ok"),
        ([2.0, 1.0, 0.5, 0.501, 0.4, 0.401, 0.3], "ok"),
        ([2.0, 1.0, 1.8, 0.9, 1.7, 0.8, 1.6, 0.5], "oscillating"),
        ([2.0, 3.0, 1.0, 0.9, 0.8, 0.7, 0.6], "oscillating"),
        ([2.0, 1.0, math.nan], "diverging"),
        ([2.0, 2.5, 3.0], "diverging"),
        ([2.0, 20.0, 1.9, 1.9], "diverging"),
    ],
)
def test_labels_of_drawn_curves(losses: list[float], label: str) -> None:
    assert label_curve(losses) == label


def test_rates_far_from_the_suggestion_are_labelled_so() -> None:
    assert descend_digits(1e-6).label == "slow"
    assert descend_digits(1000.0).label == "diverging"


@pytest.mark.craft("OP17")
def test_linear_scaling_keeps_the_accuracy_up_to_a_critical_batch() -> None:
    sizes = (8, 64, 256, 898)
    linear = scaling("linear", batch_sizes=sizes)
    none = scaling("none", batch_sizes=sizes)
    assert linear.band() == (8, 64, 256)
    assert linear.critical_batch() == 898
    assert none.critical_batch() == 64
    assert linear.rows[0].accuracy == none.rows[0].accuracy > 0.9
    assert [r.lr for r in linear.rows] == pytest.approx(
        [scaled_lr(0.02, batch_size=n, rule="linear", reference=8) for n in sizes]
    )
