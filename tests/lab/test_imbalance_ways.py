import pytest
import torch

from osler.lab.imbalance import imbalance_table, oversampled, rare_class, undersampled, with_smote


@pytest.mark.craft("DA14")
def test_every_way_of_handling_imbalance_finds_more_of_the_rare_class():
    table = {row.way: row for row in imbalance_table(seeds=(0,), epochs=8)}
    ways = ["plain", "oversampling", "undersampling", "SMOTE", "class weights", "focal loss", "threshold"]
    assert list(table) == ways
    plain = table["plain"]
    assert plain.accuracy > 0.94  # high, though half of the rare class is missed
    assert plain.recall < 0.6
    for way in ways[1:]:
        assert table[way].recall > plain.recall + 0.15, way
        assert table[way].precision < plain.precision, way  # the price


@pytest.mark.craft("DA14")
def test_resampling_makes_the_classes_equal_in_its_own_way():
    data = rare_class(600)
    rare = int(data.y.sum())
    assert 0.02 < rare / len(data) < 0.1
    (x, y), (x2, y2), (x3, y3) = oversampled(data), undersampled(data), with_smote(data)
    for labels in (y, y2, y3):
        assert abs(2 * int(labels.sum()) - len(labels)) <= 1
    assert (len(x), len(x2), len(x3)) == (len(data), 2 * rare, 2 * (len(data) - rare))
    known = {tuple(r.tolist()) for r in data.x}
    assert all(tuple(r.tolist()) in known for r in torch.cat([x, x2]))
    assert sum(tuple(r.tolist()) not in known for r in x3) > rare  # SMOTE's are new
