"""Three planted under-fits, each cured by its own remedy and not by the next one's."""

import pytest
import torch

from osler.lab.underfitting_remedies import PLANTED, REMEDIES, Pairs, underfitting_table

OWN = {
    "too few units (2)": "more units",
    "penalty too strong (0.1)": "a smaller coefficient",
    "a feature is missing (x1 x2)": "crossed features",
}


@pytest.mark.craft("TD28")
def test_each_under_fit_is_cured_by_its_own_remedy() -> None:
    assert list(OWN) == list(PLANTED)
    rows = {(r.planted, r.remedy): r for r in underfitting_table(tuple(OWN.values()), seeds=(0,))}
    for planted, remedy in OWN.items():
        before, after = rows[planted, remedy].means
        assert before > 0.1
        assert after < 0.02, (planted, remedy)
        assert rows[planted, remedy].cures
    assert not rows["too few units (2)", "a smaller coefficient"].cures
    assert not rows["penalty too strong (0.1)", "more units"].cures
    assert not rows["a feature is missing (x1 x2)", "more units"].cures, "it has no hidden units to multiply"


def test_the_remedies_stand_in_the_three_groups() -> None:
    assert {group for group, _ in REMEDIES.values()} == {"1", "2", "3"}


def test_the_quick_sum_over_pairs_is_the_slow_one() -> None:
    pairs, x = Pairs(5, 3, 0).double(), torch.randn(4, 5, dtype=torch.float64)
    v = pairs.factors
    slow = sum((v[:, i] * v[:, j]).sum(1) * (x[:, i] * x[:, j])[:, None] for i in range(5) for j in range(i + 1, 5))
    torch.testing.assert_close(pairs(x), slow)
