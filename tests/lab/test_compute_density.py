"""Multiply-adds a second by kernel: what is counted, what is timed, what is printed. The clock is the test's own."""

from collections.abc import Callable

import pytest

from osler.lab.compute_density import Density, compute_density, density_table


def clock_of(*seconds: float, warming: float, rounds: int) -> Callable[[], float]:
    """A clock under which the calls of each round take these times, and those of the first round `warming`."""
    spans = [warming] * len(seconds) + list(seconds) * rounds
    readings, now = [], 0.0
    for span in spans:
        readings += [now, now + span]
        now += span + 1.0  # between calls time passes that is nobody's
    return iter(readings).__next__


@pytest.mark.craft("LW16")
def test_rates_are_work_over_time_by_kernel() -> None:
    clock = clock_of(0.001, 0.002, 0.025, warming=9.0, rounds=3)
    rows = compute_density((1, 3, 5), channels=8, side=10, rounds=3, clock=clock)
    assert [row.kernel for row in rows] == [1, 3, 5]
    assert [row.multiply_adds for row in rows] == [8 * 8 * 100 * k * k for k in (1, 3, 5)]
    assert [row.seconds for row in rows] == pytest.approx([0.001, 0.002, 0.025])
    assert [row.rate for row in rows] == pytest.approx([0.0064, 0.0288, 0.0064])


@pytest.mark.craft("LW16")
def test_the_table_prints_a_rate_and_a_ratio_for_each_kernel() -> None:
    """The paper's relation as an example: 3x3 about four times as dense as 1x1 and 5x5."""
    table = density_table([Density(1, 10**9, 0.1), Density(3, 9 * 10**9, 0.225), Density(5, 25 * 10**9, 2.5)])
    lines = [line.split() for line in table.splitlines()]
    assert [(line[0], line[3], line[4]) for line in lines[1:]] == [
        ("1x1", "10.0", "1.00"),
        ("3x3", "40.0", "4.00"),
        ("5x5", "10.0", "1.00"),
    ]


def test_by_default_it_measures_here() -> None:
    rows = compute_density((1, 3), channels=4, side=6, rounds=1)
    assert all(row.rate > 0 for row in rows)
    assert len(density_table(rows).splitlines()) == 3
