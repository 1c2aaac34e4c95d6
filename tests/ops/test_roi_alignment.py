"""RoI align, pooling and precise pooling against loops over their definitions, and their gradients."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import osler.ops.roi_windows as roi_windows
from osler.ops import precise_roi_pool, roi_align, roi_pool

SETTINGS = {
    "roi_align_r2_aligned": {"sampling_ratio": 2, "aligned": True},
    "roi_align_r2": {"sampling_ratio": 2},
    "roi_align_r0_aligned": {"sampling_ratio": 0, "aligned": True},
}
ALL = (lambda f, r: roi_align(f, r, 3), lambda f, r: roi_pool(f, r, 3), lambda f, r: precise_roi_pool(f, r, 3))


def maps_and_rois(seed, number=4, dtype=torch.float64):
    """Regions of all kinds: small, large, beyond the edges, inverted."""
    generator = torch.Generator().manual_seed(seed)
    maps = torch.randn(2, 3, 6, 8, generator=generator, dtype=dtype)
    corner = torch.rand(number, 2, generator=generator, dtype=dtype) * 16 - 5
    size = torch.rand(number, 2, generator=generator, dtype=dtype) * 12 - 1
    picture = torch.randint(0, 2, (number, 1), generator=generator)
    return maps, torch.cat([picture, corner, corner + size], 1)


def interpolated(plane, y, x):
    """Bilinear, 0 farther than one position outside, as He et al.'s code has it."""
    height, width = plane.shape
    if not (-1 <= y <= height and -1 <= x <= width):
        return 0.0
    y, x = min(max(y, 0), height - 1), min(max(x, 0), width - 1)
    top, left = int(y), int(x)
    bottom, right = min(top + 1, height - 1), min(left + 1, width - 1)
    dy, dx = y - top, x - left
    upper = plane[top, left] * (1 - dx) + plane[top, right] * dx
    return float(upper * (1 - dy) + (plane[bottom, left] * (1 - dx) + plane[bottom, right] * dx) * dy)


def align_by_loops(plane, box, bins, scale, ratio, aligned):
    x1, y1, x2, y2 = (float(v) * scale - (0.5 if aligned else 0) for v in box)
    height, width = (y2 - y1, x2 - x1) if aligned else (max(y2 - y1, 1), max(x2 - x1, 1))
    down = ratio if ratio > 0 else math.ceil(height / bins)
    across = ratio if ratio > 0 else math.ceil(width / bins)
    out = np.zeros((bins, bins))
    for row in range(bins):
        for column in range(bins):
            values = [
                interpolated(
                    plane,
                    y1 + (row + (i + 0.5) / down) * height / bins,
                    x1 + (column + (j + 0.5) / across) * width / bins,
                )
                for i in range(down)
                for j in range(across)
            ]
            out[row, column] = sum(values) / max(len(values), 1)
    return out


def pool_by_loops(plane, box, bins, scale):
    x1, y1, x2, y2 = (math.floor(abs(v) + 0.5) * (1 if v >= 0 else -1) for v in (float(b) * scale for b in box))
    height, width = max(y2 - y1 + 1, 1), max(x2 - x1 + 1, 1)
    out = np.zeros((bins, bins))
    for row in range(bins):
        for column in range(bins):
            top, bottom = math.floor(row * (height / bins)) + y1, math.ceil((row + 1) * (height / bins)) + y1
            left, right = math.floor(column * (width / bins)) + x1, math.ceil((column + 1) * (width / bins)) + x1
            under = plane[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)]
            out[row, column] = float(under.max()) if under.numel() else 0
    return out


@pytest.mark.craft("DE27")
@pytest.mark.parametrize("name", SETTINGS)
def test_values_and_gradients_of_torchvision(shared, name):
    reference = {k: torch.from_numpy(v) for k, v in np.load(shared / "reference" / "ops.npz").items()}
    maps = reference["feat"].requires_grad_()
    pooled = roi_align(maps, reference["rois"], 7, 0.25, **SETTINGS[name])
    (pooled * reference["cotangent"]).sum().backward()
    assert torch.allclose(pooled, reference[name], atol=1e-5)
    assert torch.allclose(maps.grad, reference[f"{name}_grad"], atol=1e-5)


@pytest.mark.craft("DE26")
def test_pooled_values_and_gradients_of_torchvision(shared):
    reference = {k: torch.from_numpy(v) for k, v in np.load(shared / "reference" / "ops.npz").items()}
    maps = reference["feat"].requires_grad_()
    pooled = roi_pool(maps, reference["rois"], 7, 0.25)
    (pooled * reference["cotangent"]).sum().backward()
    assert torch.equal(pooled, reference["roi_pool"])
    assert torch.allclose(maps.grad, reference["roi_pool_grad"], atol=1e-5)


@pytest.mark.craft("DE27")
@settings(max_examples=15)
@given(st.integers(0, 10_000), st.sampled_from([0, 1, 2, 3]), st.booleans())
def test_align_is_its_definition(seed, ratio, aligned):
    maps, rois = maps_and_rois(seed)
    pooled = roi_align(maps, rois, 3, 0.7, ratio, aligned)
    for region, roi in enumerate(rois):
        expected = align_by_loops(maps[int(roi[0]), 1], roi[1:], 3, 0.7, ratio, aligned)
        assert np.allclose(pooled[region, 1].numpy(), expected, atol=1e-9)


@pytest.mark.craft("DE26")
@settings(max_examples=25)
@given(st.integers(0, 10_000), st.sampled_from([2, 7]))
def test_pooling_is_its_definition(seed, bins):
    maps, rois = maps_and_rois(seed)
    pooled = roi_pool(maps, rois, bins, 0.7)
    for region, roi in enumerate(rois):
        expected = pool_by_loops(maps[int(roi[0]), 2], roi[1:], bins, 0.7)
        assert np.allclose(pooled[region, 2].numpy(), expected, atol=1e-12)


@pytest.mark.craft("DE26", "DE27")
def test_half_a_pixel_moves_what_align_reads_and_not_what_pooling_reads():
    maps = torch.randn(1, 2, 20, 20, generator=torch.Generator().manual_seed(0))
    rois = torch.tensor([[0, 2.75, 2.75, 14.75, 14.75]])
    moved = rois + torch.tensor([0, 0.5, 0.5, 0.5, 0.5])  # both round to 3 and 15
    assert torch.equal(roi_pool(maps, rois, 7), roi_pool(maps, moved, 7))
    assert not torch.allclose(roi_align(maps, rois, 7, 1, 2, True), roi_align(maps, moved, 7, 1, 2, True), atol=1e-2)


@pytest.mark.craft("DE27")
@pytest.mark.parametrize("ratio", [0, 1, 2])
def test_a_ramp_is_read_exactly_and_aligned_means_no_shift_of_half_a_pixel(ratio):
    across = torch.arange(20, dtype=torch.float64).expand(1, 1, 20, 20) + 0.5  # each pixel holds its middle's place
    rois = torch.tensor([[0, 3.3, 4.1, 12.4, 11.8]], dtype=torch.float64)
    middles = 3.3 + (torch.arange(7, dtype=torch.float64) + 0.5) * (12.4 - 3.3) / 7
    assert torch.allclose(roi_align(across, rois, 7, 1, ratio, True)[0, 0], middles.expand(7, 7), atol=1e-12)
    assert torch.allclose(roi_align(across, rois, 7, 1, ratio)[0, 0], middles.expand(7, 7) + 0.5, atol=1e-12)
    shifted = rois - 0.5 * (torch.arange(5) > 0)
    assert torch.allclose(precise_roi_pool(across, shifted, 7)[0, 0], middles.expand(7, 7), atol=1e-12)


@pytest.mark.craft("DE27")
@pytest.mark.parametrize("pooling", ALL)
def test_gradients_for_the_map(pooling):
    maps, rois = maps_and_rois(5)
    assert torch.autograd.gradcheck(lambda m: pooling(m, rois), maps.requires_grad_())


@pytest.mark.craft("DE33")
@pytest.mark.parametrize("seed", range(3))
def test_precise_pooling_has_the_gradient_for_the_corners(seed):
    maps, rois = maps_and_rois(seed)
    rois[:, 3:] = torch.maximum(rois[:, 3:], rois[:, 1:3] + 0.5)
    corners = rois[:, 1:].clone().requires_grad_()
    pooled = lambda m, c: precise_roi_pool(m, torch.cat([rois[:, :1], c], 1), 3, 0.8)  # noqa: E731
    assert torch.autograd.gradcheck(pooled, (maps.requires_grad_(), corners), atol=1e-4)


@pytest.mark.craft("DE33")
def test_precise_pooling_is_the_limit_of_many_samples():
    maps, rois = maps_and_rois(1, number=12)
    rois[:, 1:3] = rois[:, 1:3].clamp(0, 3)
    rois[:, 3:] = torch.maximum(rois[:, 3:], rois[:, 1:3] + 0.3).clamp(max=5)  # within the map
    boxes = [rois[rois[:, 0] == picture, 1:] for picture in range(2)]
    fine = roi_align(maps, [box + 0.5 for box in boxes], 3, 1, 200, True)
    assert torch.allclose(precise_roi_pool(maps, boxes, 3), fine, atol=1e-3)
    assert (precise_roi_pool(maps, torch.tensor([[0.0, 3, 3, 3, 5]], dtype=torch.float64), 3) == 0).all()


@pytest.mark.parametrize("pooling", ALL)
def test_no_regions_and_regions_outside(pooling):
    maps = torch.randn(2, 3, 6, 8, requires_grad=True)
    none = pooling(maps, torch.zeros(0, 5))
    assert none.shape == (0, 3, 3, 3)
    outside = pooling(maps, [torch.tensor([[90.0, 90, 99, 99]]), torch.zeros(0, 4)])
    assert (outside == 0).all()
    (none.sum() + outside.sum()).backward()
    assert (maps.grad == 0).all()


@pytest.mark.parametrize("pooling", ALL)
def test_the_maps_memory_order_is_kept_and_changes_no_value(pooling):
    maps, rois = maps_and_rois(2, dtype=torch.float32)
    plain, last = pooling(maps, rois), pooling(maps.contiguous(memory_format=torch.channels_last), rois)
    assert torch.equal(plain, last)
    assert plain.is_contiguous()
    assert last.is_contiguous(memory_format=torch.channels_last)
    assert pooling(maps.half(), rois).dtype == torch.float16


def test_many_regions_in_several_parts_are_the_same(monkeypatch):
    maps, rois = maps_and_rois(3, number=9)
    whole = roi_align(maps.requires_grad_(), rois, 3, 1, 0, True)
    (gradient,) = torch.autograd.grad(whole.square().sum(), maps)
    monkeypatch.setattr(roi_windows, "ENTRIES_AT_ONCE", 100)
    parts = roi_align(maps, rois, 3, 1, 0, True)
    assert torch.equal(parts, whole)
    assert torch.allclose(torch.autograd.grad(parts.square().sum(), maps)[0], gradient)


def test_other_shapes_of_regions_are_refused():
    maps = torch.zeros(1, 1, 4, 4)
    for wrong, said in ((torch.zeros(2, 4), "rows of picture"), ([torch.zeros(2, 5)], "number, 4"), ([], "empty")):
        with pytest.raises(ValueError, match=said):
            roi_align(maps, wrong, 7)
