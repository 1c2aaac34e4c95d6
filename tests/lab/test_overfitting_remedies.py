"""The textbooks' remedies for over-fitting, each alone on the same small set."""

import pytest

from osler.lab.overfitting_remedies import REMEDIES, overfitting_table
from osler.lab.remedy_table import RemedyTable

# The union of the lists, by the inventory's rows RE03, RE04, RE05, RE08, RE14, RE23 to RE32 and DA01.
LISTS = {
    "early stopping", "L1 regularisation", "L2 regularisation", "weight decay", "dropout", "multi-task, hard sharing",
    "multi-task, soft sharing", "bagging", "an ensemble by averaging", "auxiliary classifier", "parameter tying",
    "parameter sharing", "more samples", "batch norm", "a smaller structure", "data augmentation",
}  # fmt: skip
SOME = ("L1 regularisation", "L2 regularisation", "weight decay", "dropout", "a smaller structure", "more samples",
        "early stopping", "parameter tying")  # fmt: skip


@pytest.fixture(scope="module")
def some() -> RemedyTable:
    return overfitting_table(SOME, seeds=(0, 1))


@pytest.mark.craft("TD27")
def test_the_sick_network_knows_wrong_labels_by_heart(some: RemedyTable) -> None:
    assert some.sick.mean("train") > 0.99
    assert some.sick.mean("gap") > 0.2
    assert set(REMEDIES) == LISTS


@pytest.mark.craft("TD27")
def test_remedies_differ_on_held_out_digits(some: RemedyTable) -> None:
    for name in ("more samples", "dropout", "a smaller structure", "L2 regularisation"):
        assert some.verdict(name) == "helps", name
    assert some.verdict("parameter tying") in ("no clear effect", "helps a little")
    assert max(some.trials, key=lambda t: t.mean("test")).remedy == "more samples"


@pytest.mark.craft("TD20")
def test_early_stopping_ends_before_the_wrong_labels_are_learnt(some: RemedyTable) -> None:
    assert some.trial("early stopping").mean("train") < 0.9, "against labels a fifth of which are wrong"
    assert some.trial("early stopping").mean("gap") < some.sick.mean("gap") - 0.1


@pytest.mark.craft("TD21")
@pytest.mark.parametrize("name", ["L1 regularisation", "L2 regularisation"])
def test_a_penalty_narrows_the_gap(some: RemedyTable, name: str) -> None:
    assert some.trial(name).mean("gap") < some.sick.mean("gap") - 0.1
    assert some.trial(name).mean("weights") < 0.7 * some.sick.mean("weights")


@pytest.mark.craft("TD22")
def test_weight_decay_makes_weights_smaller_and_the_gap_too(some: RemedyTable) -> None:
    assert all(g < -1 for g in some.gains("weight decay", "weights"))
    assert all(g < 0 for g in some.gains("weight decay", "gap"))


@pytest.mark.craft("TD23")
def test_dropout_narrows_the_gap(some: RemedyTable) -> None:
    assert all(g < -0.1 for g in some.gains("dropout", "gap"))


@pytest.mark.slow
@pytest.mark.craft("TD27")
def test_every_remedy_of_the_lists_over_three_seeds() -> None:
    found = overfitting_table()
    verdicts = {t.remedy: found.verdict(t.remedy) for t in found.trials}
    assert set(verdicts) == LISTS
    assert "harms" not in verdicts.values()
    assert {n for n, v in verdicts.items() if v == "helps"} >= {"more samples", "dropout", "bagging"}
    assert verdicts["parameter sharing"] != "helps"
