"""What batch norm brings, and what it costs."""

from statistics import mean

import pytest

from osler.lab.normalisation_claims import (
    accuracy_by_batch,
    accuracy_by_order,
    accuracy_with_sorted_batches,
    early_gradient_share,
    epochs_to,
    input_drift,
    norm_and_dropout,
    rates_that_learn,
    spread_over_initialisations,
    wine_standardised,
)
from osler.lab.variance_shift import shift_ratio


@pytest.mark.craft("NO06")
def test_it_learns_in_fewer_epochs() -> None:
    epochs = epochs_to(seeds=(0,))
    assert epochs.with_norm < epochs.without / 3


@pytest.mark.craft("NO06")
def test_more_learning_rates_lead_somewhere() -> None:
    rates = rates_that_learn()
    assert rates.with_norm >= rates.without + 3


@pytest.mark.craft("NO06", "IN11")
def test_the_start_matters_less() -> None:
    spread = spread_over_initialisations()
    assert spread.with_norm < 0.6 * spread.without


@pytest.mark.craft("NO06")
def test_gradients_come_through_a_deep_sigmoid_network() -> None:
    share = early_gradient_share()
    assert share.without < 1e-6
    assert 0.1 < share.with_norm < 10


@pytest.mark.craft("NO05")
def test_before_and_after_the_activation_both_learn() -> None:
    curves = accuracy_by_order()
    assert curves["before"][0] > curves["after"][0], "before is ahead after the first epoch here"
    assert min(curves["before"][-1], curves["after"][-1]) > 0.94
    assert abs(curves["before"][-1] - curves["after"][-1]) < 0.03


@pytest.mark.slow
@pytest.mark.craft("NO07", "NO14")
def test_two_pictures_a_batch_are_too_few_for_batch_norm_and_enough_for_group_norm() -> None:
    table = accuracy_by_batch()
    assert table["batch"][0] < table["batch"][-1] - 0.2
    assert table["group"][0] > table["batch"][0] + 0.2
    assert max(table["group"]) - min(table["group"]) < 0.15


@pytest.mark.craft("NO07", "NO14")
def test_batches_of_one_class_break_it() -> None:
    scores = accuracy_with_sorted_batches()
    assert scores.with_norm < scores.without - 0.2, "statistics of training are never those of evaluation"


@pytest.mark.craft("NO12")
def test_what_a_layer_sees_moves_less_with_it() -> None:
    drift = input_drift()
    assert drift.with_norm < 0.6 * drift.without


@pytest.mark.craft("NO13")
def test_standardised_columns_help_neighbours_and_descent() -> None:
    wine = wine_standardised()
    assert [round(s, 3) for s in wine.neighbours] == [0.691, 0.949]
    assert wine.condition[1] < wine.condition[0] / 1e5
    assert wine.steps[1] < 100 < wine.steps[0]


@pytest.mark.craft("NO15")
def test_with_batch_norm_dropout_adds_nothing_here() -> None:
    scores = {name: mean(found) for name, found in norm_and_dropout().items()}
    assert max(scores, key=scores.__getitem__) == "batch norm"
    assert scores["both"] < scores["batch norm"]
    assert shift_ratio(0.5) == 0.5, "dropout before a norm halves its variance between training and evaluation"


@pytest.mark.craft("NO14")
def test_sequences_of_other_lengths_have_other_statistics() -> None:
    """Padding counts as data: the mean that batch norm takes out depends on how long the neighbours are."""
    import torch

    from osler.ops.normalisation import batch_norm

    sequence = torch.ones(1, 1, 4) * 2
    one, zero = torch.ones(1), torch.zeros(1)
    answers = []
    for length in (4, 16):
        padded = torch.zeros(2, 1, length)
        padded[0, :, :4], padded[1] = sequence, torch.randn(1, length, generator=torch.Generator().manual_seed(0))
        answers.append(batch_norm(padded, one, zero).output[0, 0, 0])
    assert abs(float(answers[0] - answers[1])) > 0.3
