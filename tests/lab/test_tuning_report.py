"""The six questions of bad tuning, answered by trying: what is said of an item is what its change brought."""

from dataclasses import replace

import pytest

from osler.lab.overfitting_remedies import WIDTHS, small_set
from osler.lab.tuning_report import ITEMS, Item, Setting, ill_conditioned, train, tuning_report

OVERFITTED = Setting(widths=WIDTHS, optimizer="adam", rate=1e-3, epochs=60)


def report(*items: str) -> dict[str, Item]:
    found = tuning_report(OVERFITTED, lambda seed: small_set(seed).few, items=items, seeds=(0,))
    return {item.question: item for item in found}


@pytest.mark.craft("TD24")
def test_the_report_shows_what_another_structure_brings_to_an_overfitted_run() -> None:
    found = report("1 loss", "6e structure")
    structure, suitable = found["6e structure"], found["1 loss"]
    assert structure.flagged
    assert structure.gaps()[0] > 0.2
    assert structure.gaps()[1] < structure.gaps()[0] - 0.15
    assert structure.accuracies()[1] > structure.accuracies()[0] + 0.02
    assert not suitable.flagged
    assert suitable.before == suitable.after == structure.before, "what is as it should be is not changed"


@pytest.mark.slow
@pytest.mark.craft("TD24")
def test_the_whole_report_asks_six_questions_the_last_in_five_ways() -> None:
    found = report(*ITEMS)
    assert {question[0] for question in found} == set("123456")
    assert sum(question.startswith("6") for question in found) == 5
    flagged = {question for question, item in found.items() if item.flagged}
    assert "6e structure" in flagged
    assert not flagged & {"1 loss", "2 batch size", "3 activation"}, "these were as they should be"


@pytest.mark.craft("TD18")
def test_plain_descent_on_ill_conditioned_data_is_flagged_and_another_optimiser_is_sooner() -> None:
    target, seeds = 0.6, (0, 1)
    (item,) = tuning_report(Setting(), ill_conditioned, items=("5 optimiser",), seeds=seeds, target=target)
    assert item.flagged
    for plain, adam, seed in zip(item.before, item.after, seeds, strict=True):
        momentum = train(replace(Setting(), optimizer="momentum"), ill_conditioned(seed), seed, target)
        for swapped in (adam, momentum):
            assert swapped.epochs_to is not None
            assert plain.epochs_to is None or swapped.epochs_to < plain.epochs_to


@pytest.mark.craft("TD18")
def test_where_all_columns_are_of_one_spread_plain_descent_is_let_be() -> None:
    def even(seed: int):  # type: ignore[no-untyped-def]
        return ill_conditioned(seed, condition=1.0)

    (item,) = tuning_report(Setting(), even, items=("5 optimiser",), seeds=(0, 1))
    assert not item.flagged
