"""The exponential moving average: its shares and its bias."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from osler.lab.moving_average import memory_length, moving_average, shares

betas = st.floats(0.01, 0.999)


@pytest.mark.craft("OP09")
@given(beta=betas, steps=st.integers(1, 300), seed=st.integers(0, 9))
def test_the_shares_make_the_average_and_sum_to_one_less_a_power(beta: float, steps: int, seed: int) -> None:
    values = np.random.default_rng(seed).normal(size=steps)
    parts = shares(steps, beta=beta)
    assert parts.sum() == pytest.approx(1 - beta**steps)
    assert moving_average(values, beta=beta)[-1] == pytest.approx(parts @ values, abs=1e-9)


@pytest.mark.craft("OP09")
@given(beta=betas, constant=st.floats(-1e3, 1e3))
def test_corrected_the_average_of_a_constant_is_it_from_the_first_step(beta: float, constant: float) -> None:
    values = np.full(50, constant)
    assert moving_average(values, beta=beta, corrected=True) == pytest.approx(values, rel=1e-9)
    biased = moving_average(values, beta=beta)
    assert biased[0] == pytest.approx((1 - beta) * constant, rel=1e-9, abs=1e-12)


def test_a_share_falls_to_about_one_over_e_after_the_memory_length() -> None:
    for beta in (0.9, 0.99, 0.999):
        length = round(memory_length(beta))
        parts = shares(length + 1, beta=beta)
        assert parts[0] / parts[-1] == pytest.approx(np.exp(-1), rel=0.06)
