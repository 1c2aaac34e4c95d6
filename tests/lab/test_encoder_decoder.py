"""The small encoder-decoder: shapes on its way, and two tasks."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from osler.lab.encoder_decoder import EncoderDecoder, passage, reconstruct, segment


@pytest.mark.craft("AR27")
@settings(max_examples=15, deadline=None)
@given(levels=st.integers(1, 4), height=st.integers(8, 21), width=st.integers(8, 21), skips=st.booleans())
def test_the_answer_has_the_size_of_the_picture(levels: int, height: int, width: int, skips: bool) -> None:
    widths = [2 * 2**i for i in range(levels)]
    model = EncoderDecoder(widths, in_channels=3, out_channels=5, skips=skips).eval()
    way = passage(model, torch.randn(2, 3, height, width))
    halvings = levels - 1
    assert way.answer == (5, height, width)
    assert way.bottleneck == (widths[-1], height >> halvings, width >> halvings)
    assert str(way) == (
        f"3x{height}x{width} -> {widths[-1]}x{height >> halvings}x{width >> halvings} -> 5x{height}x{width}"
    )


@pytest.mark.craft("AR27")
def test_reconstruction_trains_and_skips_carry_what_the_bottleneck_loses() -> None:
    skips, none = (reconstruct(skips=s, samples=300, epochs=10) for s in (True, False))
    assert str(skips.passage) == "1x16x16 -> 32x4x4 -> 1x16x16"
    assert skips.score < skips.without / 4
    assert skips.score < none.score < none.without


@pytest.mark.craft("AR27")
def test_segmentation_trains() -> None:
    found = segment(samples=300, epochs=10)
    assert found.score > found.without + 0.08
    assert found.score > 0.7


def test_every_part_gets_a_gradient() -> None:
    model = EncoderDecoder((2, 4, 8))
    model(torch.randn(4, 1, 9, 9)).square().sum().backward()
    assert all(p.grad is not None and p.grad.any() for p in model.parameters())
