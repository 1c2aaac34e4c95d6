"""A recurrent network that diverges without clipping trains with it."""

import pytest

from osler.lab.gradient_clipping import train_accumulator


@pytest.mark.craft("OP13")
def test_a_recurrent_network_that_diverges_trains_with_clipping() -> None:
    wild = train_accumulator(norm=0.0)
    assert wild.diverged
    assert wild.largest_norm > 100
    for course in (train_accumulator(norm=1.0), train_accumulator(norm=0.0, value=0.1)):
        assert not course.diverged
        assert course.losses[-1] < 0.01 * course.losses[0]
