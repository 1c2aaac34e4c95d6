import pytest
import torch

from osler.lab.few_labels import METHODS, few_labels_table
from osler.lab.rendered_digits import rendered_digits
from osler.lab.small_sets import digits


@pytest.mark.craft("DA15")
def test_every_method_uses_ten_labels_a_class_and_what_uses_the_pool_gains():
    table = {m.name: m for m in few_labels_table(per_class=10, seeds=(0, 1))}
    assert list(table) == list(METHODS)
    assert all(m.labels == 100 for m in table.values())
    baseline = table["supervised"].mean
    assert 0.85 < baseline < 0.95
    for name in ("pseudo-labels", "consistency", "active learning"):
        assert table[name].mean > baseline + 0.005, name
    for name in ("transfer", "self-training"):
        assert table[name].mean > baseline - 0.015, name


@pytest.mark.craft("DA15")
@pytest.mark.slow
def test_the_gains_hold_over_six_seeds():
    table = {m.name: m for m in few_labels_table(seeds=range(6))}
    baseline = table["supervised"].mean
    assert table["active learning"].mean > baseline + 0.02
    assert table["consistency"].mean > baseline + 0.015
    assert table["pseudo-labels"].mean > baseline + 0.005
    assert table["transfer"].mean > baseline - 0.005
    assert table["self-training"].mean > baseline - 0.005


def test_drawn_digits_are_digits_in_the_form_of_the_real_ones():
    x, y = rendered_digits(500)
    real = digits(1000)
    assert x.shape == (500, 64)
    assert x.min() >= -1
    assert x.max() <= 1
    assert torch.equal(y[:12] % 10, torch.tensor([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1]))
    drawn = torch.stack([x[y == c].mean(0) for c in range(10)])
    true = torch.stack([real.x[real.y == c].mean(0) for c in range(10)])
    likeness = torch.corrcoef(torch.cat([drawn, true]))[:10, 10:]
    of_the_same, of_others = likeness.diagonal().mean(), likeness[~torch.eye(10, dtype=torch.bool)].mean()
    assert of_the_same > of_others + 0.1
