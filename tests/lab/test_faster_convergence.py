"""The five items that are said to ease training, by epochs to a target, the median of three seeds."""

import pytest

from osler.lab.convergence_speed import convergence_table


@pytest.mark.craft("TD30")
def test_epochs_to_the_target_of_each_item() -> None:
    rows = {row.remedy: row for row in convergence_table(seeds=(0, 1, 2))}
    assert list(rows) == ["bottleneck", "residual", "learning rate and momentum", "optimiser", "pre-training"]
    for name in list(rows)[1:]:
        row = rows[name]
        assert row.without is not None
        assert row.with_it is not None
        assert row.with_it < row.without, name
    assert rows["learning rate and momentum"].with_it <= 0.6 * rows["optimiser"].without
    bottleneck = rows["bottleneck"]
    assert bottleneck.with_it is not None
    assert not bottleneck.faster, "it saves multiply-adds, not epochs"
    assert bottleneck.multiply_adds_with < 0.3 * bottleneck.multiply_adds_without
