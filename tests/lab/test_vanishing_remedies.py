"""The textbooks' remedies for vanishing gradients, each alone on one sick network."""

import math

import pytest

from osler.lab.vanishing_remedies import DEEP, recurrent_table, vanishing_table


@pytest.mark.craft("TD25")
def test_each_remedy_alone_carries_the_gradient_back_to_the_first_layer() -> None:
    found = vanishing_table(epochs=0, seeds=(0,))
    assert found.sick.middle("ratio") < 1e-3
    for trial in found.trials:
        assert 0.1 < trial.middle("ratio") < 10, trial.remedy


@pytest.mark.craft("TD25")
def test_with_the_gradient_the_accuracy_comes() -> None:
    found = vanishing_table(("ReLU", "batch norm", "residual connections"), epochs=12, seeds=(0,))
    assert found.sick.mean("test") < 0.2, "ten classes: it answers one for all"
    for trial in found.trials:
        assert trial.mean("test") > 0.85, trial.remedy
        assert found.verdict(trial.remedy) == "helps"


@pytest.mark.slow
@pytest.mark.craft("TD25")
def test_every_remedy_of_the_lists_over_three_seeds() -> None:
    found = vanishing_table()
    assert len(found.trials) == len(DEEP) == 8
    assert found.sick.mean("test") < 0.2
    assert {found.verdict(t.remedy) for t in found.trials} == {"helps"}


@pytest.mark.craft("TD25")
def test_an_lstm_remembers_what_a_plain_recurrent_network_forgets() -> None:
    found = recurrent_table(epochs=20, seeds=(1,))
    assert math.log10(found.trial("LSTM").middle("ratio")) > math.log10(found.sick.middle("ratio")) + 6
    assert found.trial("LSTM").mean("test") > found.sick.mean("test") + 0.2
