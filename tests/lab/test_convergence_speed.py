"""The five things that are said to speed up convergence."""

import pytest

from osler.lab.convergence_speed import SpeedRow, convergence_table


def check(rows: tuple[SpeedRow, ...]) -> None:
    table = {row.remedy: row for row in rows}
    assert list(table) == ["bottleneck", "residual", "learning rate and momentum", "optimiser", "pre-training"]
    for name in list(table)[1:]:
        assert table[name].faster, table[name]
    bottleneck = table["bottleneck"]
    assert bottleneck.with_it is not None
    assert bottleneck.multiply_adds_with < 0.3 * bottleneck.multiply_adds_without


@pytest.mark.craft("OP26")
def test_each_remedy_alone_meets_the_target_sooner_and_the_bottleneck_cheaper() -> None:
    check(convergence_table(seeds=(1,)))


@pytest.mark.slow
@pytest.mark.craft("OP26")
def test_each_remedy_alone_by_the_median_of_three_seeds() -> None:
    check(convergence_table(seeds=(0, 1, 2)))
