import math
from itertools import pairwise

import pytest

from osler.lab.fitting import judge_fit, polynomial_fits
from osler.lab.plain_training import Curves, adam, fit, mlp
from osler.lab.small_sets import digits
from osler.lab.underfitting import crossed_feature, layer_errors, penalty_errors, term_errors, underfitting_remedies

CHANCE = math.log(10)


def verdict_of(model, data, epochs):
    curves = Curves()
    fit(model, data.x, data.y, epochs=epochs, after_epoch=curves.recorder(model, data))
    return judge_fit(curves.train_loss, curves.test_loss, chance=CHANCE)


@pytest.mark.craft("RE01")
def test_a_large_network_on_few_digits_is_labelled_overfitting():
    assert verdict_of(mlp(64, 128, 10), digits(80), epochs=60).label == "overfitting"


@pytest.mark.craft("RE02")
def test_a_network_too_narrow_is_labelled_underfitting():
    assert verdict_of(mlp(64, 1, 10), digits(600), epochs=10).label == "underfitting"


@pytest.mark.craft("RE01", "RE02")
def test_a_network_that_fits_is_labelled_fine():
    assert verdict_of(mlp(64, 64, 10), digits(1200), epochs=12).label == "fine"


@pytest.mark.craft("RE01", "RE02")
@pytest.mark.parametrize("seed", range(6))
def test_polynomials_of_degree_1_4_15_are_too_simple_right_and_too_complex(seed):
    line, quartic, wild = polynomial_fits((1, 4, 15), seed=seed)
    assert [f.verdict.label for f in (line, quartic, wild)] == ["underfitting", "fine", "overfitting"]
    assert line.train_error > quartic.train_error > wild.train_error
    assert quartic.test_error < min(line.test_error, wild.test_error)


@pytest.mark.craft("RE01")
def test_a_climbing_validation_loss_is_overfitting_from_its_minimum_on():
    train = [1.0, 0.5, 0.2, 0.1, 0.05, 0.02]
    climbing = judge_fit(train, [1.1, 0.6, 0.25, 0.26, 0.28, 0.31], chance=4.0)
    assert (climbing.label, climbing.best_epoch) == ("overfitting", 2)
    assert climbing.generalisation_loss == pytest.approx(0.31 / 0.25 - 1)
    steady = judge_fit(train, [1.1, 0.6, 0.25, 0.24, 0.23, 0.22], chance=4.0)
    assert steady.label == "fine"


def test_a_verdict_needs_curves_of_equal_length():
    for train, validation, chance in (([], [], 1.0), ([1.0], [1.0, 1.0], 1.0), ([1.0], [1.0], 0.0)):
        with pytest.raises(ValueError, match="judge_fit needs"):
            judge_fit(train, validation, chance=chance)


@pytest.mark.craft("RE33")
def test_training_error_falls_with_the_degree_and_with_layers():
    errors = term_errors((1, 2, 5))
    assert errors[1] > 2 * errors[2] > 20 * errors[5]
    layers = layer_errors(((4,), (16,), (16, 16)), epochs=400)
    assert layers[(4,)] > 1.2 * layers[(16,)] > 6 * layers[(16, 16)]


@pytest.mark.craft("RE34")
def test_training_error_never_rises_as_the_penalty_falls():
    for seed in range(5):
        errors = list(penalty_errors((10.0, 3.0, 1.0, 0.3, 0.1, 1e-2, 1e-3, 1e-4, 0.0), seed=seed).values())
        assert all(a >= b - 1e-12 for a, b in pairwise(errors))
        assert errors[0] > 10 * errors[-1]


@pytest.mark.craft("RE35")
def test_the_product_of_its_inputs_makes_xor_linear():
    xor = crossed_feature()
    assert xor.without <= 0.75
    assert xor.with_product == 1.0
    assert abs(xor.weights[2]) > 100 * max(abs(xor.weights[0]), abs(xor.weights[1]))


@pytest.mark.craft("RE02")
@pytest.mark.slow
def test_every_remedy_for_underfitting_lowers_the_training_error():
    rows = underfitting_remedies()
    assert len(rows) == 5
    for row in rows:
        assert row.after < 0.5 * row.before, row.remedy


@pytest.mark.craft("RE02")
def test_more_units_turn_underfitting_into_a_fit():
    data = digits(600)
    before, after = (verdict_of(mlp(64, width, 10), data, epochs=15) for width in (1, 32))
    assert (before.label, after.label) == ("underfitting", "fine")
    assert after.train < 0.2 * before.train
    assert fit(mlp(64, 4, 10), data.x, data.y, epochs=1, optimizer=adam(1e-2)).training is False
