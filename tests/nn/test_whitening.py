"""Whitening of small patches."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from osler.nn.whitening import CHUNK, WhiteningConv2d, patch_second_moment, whitening_filters


def slow_moment(images: torch.Tensor, kernel: int) -> np.ndarray:
    """The mean outer product, patch by patch."""
    pixels, outer, count = images.numpy().astype(np.float64), 0.0, 0
    for image in pixels:
        for y in range(image.shape[1] - kernel + 1):
            for x in range(image.shape[2] - kernel + 1):
                patch = image[:, y : y + kernel, x : x + kernel].ravel()
                outer, count = outer + np.outer(patch, patch), count + 1
    return outer / count


@settings(max_examples=10, deadline=None)
@given(batch=st.integers(1, 3), channels=st.sampled_from([1, 3]), side=st.integers(3, 6), kernel=st.integers(1, 3))
def test_second_moment_is_that_of_the_patches(batch: int, channels: int, side: int, kernel: int) -> None:
    images = torch.randn(batch, channels, side, side)
    np.testing.assert_allclose(patch_second_moment(images, kernel).numpy(), slow_moment(images, kernel), atol=1e-5)


def test_many_pictures_are_taken_in_parts() -> None:
    images = torch.randn(CHUNK + 3, 1, 3, 3)
    np.testing.assert_allclose(patch_second_moment(images, 2).numpy(), slow_moment(images, 2), atol=1e-5)


def test_filters_whiten_and_come_strongest_first() -> None:
    root = torch.randn(6, 6, dtype=torch.float64)
    moment = root @ root.T
    filters = whitening_filters(moment, floor=0.0)
    torch.testing.assert_close(filters @ moment @ filters.T, torch.eye(6, dtype=torch.float64))
    strengths = [float(f @ moment @ f / (f @ f)) for f in filters]
    assert strengths == sorted(strengths, reverse=True)


def test_the_floor_holds_weak_directions_back() -> None:
    moment = torch.diag(torch.tensor([1.0, 1e-12], dtype=torch.float64))
    assert whitening_filters(moment, floor=5e-4).abs().max() < 1 / np.sqrt(5e-4) + 1e-6


def test_layer_has_each_filter_with_both_signs_and_trains_only_its_bias() -> None:
    layer = WhiteningConv2d(3)
    layer.fit(torch.randn(32, 3, 8, 8))
    assert layer.weight.shape == (24, 3, 2, 2)
    assert torch.equal(layer.weight[:12], -layer.weight[12:])
    assert [k for k, p in layer.named_parameters() if p.requires_grad] == ["bias"]
    assert not layer.bias.any()


def test_before_it_has_seen_pictures_it_passes_pixels_on() -> None:
    image = torch.randn(1, 1, 4, 4)
    out = WhiteningConv2d(1)(image)
    torch.testing.assert_close(out[0, 0], image[0, 0, :3, :3])
    torch.testing.assert_close(out[0, 3], image[0, 0, 1:, 1:])
    torch.testing.assert_close(out[0, 4:], -out[0, :4])
