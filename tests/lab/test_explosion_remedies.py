"""The textbooks' remedies for exploding gradients, each alone: those that help, and those that do not."""

import math

import pytest

from osler.lab.explosion_remedies import RECURRENT, WAYS, Recurred, explosion_table, recurrent_explosion


@pytest.fixture(scope="module")
def recurrent() -> dict[str, Recurred]:
    return {row.remedy: row for row in recurrent_explosion(seeds=(0,))}


@pytest.mark.craft("TD26")
def test_clipping_lets_an_exploding_recurrent_network_learn(recurrent: dict[str, Recurred]) -> None:
    assert list(recurrent) == ["none", *RECURRENT]
    assert min(recurrent["none"].gradients) > 1000
    assert recurrent["none"].diverged == 1
    for way in ("clipping by norm", "clipping by value"):
        assert recurrent[way].diverged == 0, way
        assert max(recurrent[way].errors) < 0.7, way


@pytest.mark.craft("TD26")
def test_a_penalty_comes_too_late_for_a_start_that_explodes(recurrent: dict[str, Recurred]) -> None:
    for way in ("L1 on the weights", "L2 on the weights"):
        assert recurrent[way].diverged == 1, way


@pytest.mark.craft("TD26")
def test_in_a_deep_network_what_bounds_the_signal_helps_and_relu_explodes() -> None:
    names = ("ReLU", "batch norm", "residual connections", "a smaller start")
    found = explosion_table(names, steps=200, seeds=(0,))
    assert found.sick.middle("ratio") > 20
    assert found.sick.mean("test") < 0.2
    assert found.trial("ReLU").middle("gradient") > 1e4 * found.sick.middle("gradient")
    assert not found.trial("ReLU").outcomes[0].finite
    for name in names[1:]:
        assert abs(math.log(found.trial(name).middle("ratio"))) < abs(math.log(found.sick.middle("ratio"))), name
        assert found.trial(name).mean("test") > 0.6, name


@pytest.mark.slow
@pytest.mark.craft("TD26")
def test_every_remedy_of_the_lists_over_three_seeds() -> None:
    found = explosion_table()
    assert [t.remedy for t in found.trials] == list(WAYS)
    helps = {t.remedy for t in found.trials if found.verdict(t.remedy) == "helps"}
    assert helps >= {"batch norm", "residual connections", "a smaller start"}
    assert not helps & {"ReLU", "leaky ReLU", "L1 on the weights", "L2 on the weights"}
