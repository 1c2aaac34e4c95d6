"""A tensor in a few numbers: the same whatever its layout, and without copies."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from osler.vitals.summaries import as_stored, between_samples, flat_units, summarise

LAYOUTS = (torch.contiguous_format, torch.channels_last)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_the_layout_does_not_matter(dtype: torch.dtype) -> None:
    values = torch.randn(4, 8, 6, 10, generator=torch.Generator().manual_seed(0)).to(dtype)
    plain, channels_last = (summarise(values.contiguous(memory_format=layout)) for layout in LAYOUTS)
    assert channels_last.shape == plain.shape == (4, 8, 6, 10)
    assert (channels_last.low, channels_last.high) == (plain.low, plain.high) == (values.min(), values.max())
    assert channels_last.mean == pytest.approx(plain.mean, abs=1e-6)
    assert channels_last.std == pytest.approx(values.float().std(correction=0).item(), rel=1e-5)
    spreads = [between_samples(values.contiguous(memory_format=layout)) for layout in LAYOUTS]
    assert spreads[0] == pytest.approx(spreads[1], rel=1e-5)


def test_axes_in_their_order_in_memory_are_a_view_without_gaps() -> None:
    values = torch.randn(2, 3, 4, 5).contiguous(memory_format=torch.channels_last)
    stored = as_stored(values)
    assert stored.is_contiguous()
    assert stored.data_ptr() == values.data_ptr()
    assert as_stored(values.transpose(0, 1), first=1).shape[0] == 3


def test_what_is_not_finite_is_counted_apart() -> None:
    values = torch.tensor([[1.0, 2.0], [float("inf"), float("nan")]], dtype=torch.bfloat16)
    seen = summarise(values)
    assert (seen.bad, seen.low, seen.high, seen.mean) == (2, 1.0, 2.0, 1.5)


@given(st.integers(0, 2**16), st.sampled_from([1, 2]), st.booleans(), st.integers(0, 12))
def test_flat_units_are_those_that_a_whole_reading_finds(seed: int, axis: int, channels_last: bool, flat: int) -> None:
    generator = np.random.default_rng(seed)
    values = torch.from_numpy(generator.integers(0, 2, (3, 12, 9, 10))).float()
    values.transpose(0, axis)[generator.permutation(values.shape[axis])[:flat]] = float(generator.integers(0, 2))
    if channels_last:
        values = values.contiguous(memory_format=torch.channels_last)
    rest = [d for d in range(4) if d != axis]
    silent, constant = flat_units(values, axis)
    np.testing.assert_array_equal(constant, (values.amin(rest) == values.amax(rest)).numpy())
    np.testing.assert_array_equal(silent, (values.abs().amax(rest) == 0).numpy())
