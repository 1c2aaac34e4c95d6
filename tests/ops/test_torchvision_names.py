"""`osler.ops` is torchvision.ops to whoever changes the import: names, arguments, values."""

import inspect
import subprocess
import sys

import numpy as np
import pytest
import torch

import osler.ops as ops
from osler.ops import graph_nodes
from osler.ops.roi_layers import pyramid_level

ARGUMENTS = {  # of torchvision.ops, in order
    "batched_nms": ["boxes", "scores", "idxs", "iou_threshold"],
    "box_area": ["boxes", "fmt"],
    "box_convert": ["boxes", "in_fmt", "out_fmt"],
    "box_iou": ["boxes1", "boxes2", "fmt"],
    "clip_boxes_to_image": ["boxes", "size"],
    "complete_box_iou": ["boxes1", "boxes2", "eps"],
    "complete_box_iou_loss": ["boxes1", "boxes2", "reduction", "eps"],
    "distance_box_iou": ["boxes1", "boxes2", "eps"],
    "distance_box_iou_loss": ["boxes1", "boxes2", "reduction", "eps"],
    "generalized_box_iou": ["boxes1", "boxes2"],
    "generalized_box_iou_loss": ["boxes1", "boxes2", "reduction", "eps"],
    "masks_to_boxes": ["masks"],
    "nms": ["boxes", "scores", "iou_threshold"],
    "remove_small_boxes": ["boxes", "min_size"],
    "roi_align": ["input", "boxes", "output_size", "spatial_scale", "sampling_ratio", "aligned"],
    "roi_pool": ["input", "boxes", "output_size", "spatial_scale"],
    "sigmoid_focal_loss": ["inputs", "targets", "alpha", "gamma", "reduction"],
    "MultiScaleRoIAlign": ["featmap_names", "output_size", "sampling_ratio", "canonical_scale", "canonical_level"],
    "RoIAlign": ["output_size", "spatial_scale", "sampling_ratio", "aligned"],
    "RoIPool": ["output_size", "spatial_scale"],
}


@pytest.mark.parametrize("name", ARGUMENTS)
def test_the_arguments_are_torchvisions(name):
    assert list(inspect.signature(getattr(ops, name)).parameters) == ARGUMENTS[name]


def test_every_public_name_is_there_and_no_file_hides_it():
    for name in ops.__all__:
        assert callable(getattr(ops, name))
        assert getattr(ops, name).__name__ == name
    with pytest.raises(AttributeError, match=r"roi_align"):
        _ = ops.roi_crop


def test_importing_the_package_imports_no_torch():
    code = "import sys, osler.ops; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.craft("DE02")
def test_the_overlaps_of_torchvision(shared):
    reference = {k: torch.from_numpy(v) for k, v in np.load(shared / "reference" / "ops.npz").items()}
    first, second = reference["boxes"][:40], reference["boxes"][40:90]
    names = {"iou": ops.box_iou, "giou": ops.generalized_box_iou, "diou": ops.distance_box_iou}
    for name, function in {**names, "ciou": ops.complete_box_iou}.items():
        assert torch.allclose(function(first, second), reference[name], atol=1e-5)
    as_sizes = [ops.box_convert(each, "xyxy", "xywh") for each in (first, second)]
    assert torch.allclose(ops.box_iou(*as_sizes, fmt="xywh"), reference["iou"], atol=1e-5)
    loss = ops.sigmoid_focal_loss(reference["focal_logits"], reference["focal_targets"])
    assert torch.allclose(loss, reference["focal_a25_g2"], atol=1e-5)


@pytest.mark.craft("DE02")
def test_one_seventh_in_any_unit_and_zero_for_nothing():
    a, b = torch.tensor([[0.0, 0, 2, 2]]), torch.tensor([[1.0, 1, 3, 3], [5, 5, 6, 6]])
    for unit in (1, 1e-6, 1e6):
        assert ops.box_iou(a * unit, b * unit)[0].tolist() == pytest.approx([1 / 7, 0], abs=1e-6)
    assert ops.box_iou(a.int(), b.int())[0, 0] == pytest.approx(1 / 7, abs=1e-6)
    assert ops.box_iou(torch.zeros(1, 4), torch.zeros(1, 4)).tolist() == [[0]]
    assert ops.box_iou(a[:0], b).shape == (0, 2)


@pytest.mark.parametrize("name", ["generalized", "distance", "complete"])
def test_the_losses_are_one_less_the_overlap(name):
    generator = torch.Generator().manual_seed(0)
    corner, size = torch.rand(2, 6, 2, generator=generator, dtype=torch.float64)
    a = torch.cat([corner, corner + size + 0.1], 1)
    b = a.flip(0).contiguous().requires_grad_()
    loss, overlap = getattr(ops, f"{name}_box_iou_loss"), getattr(ops, f"{name}_box_iou")
    each = loss(a, b)
    assert torch.allclose(each, 1 - overlap(a, b).diagonal(), atol=1e-5)
    assert torch.allclose(loss(a, b, reduction="mean"), each.mean())
    assert torch.allclose(loss(a, b, "sum"), each.sum())
    if name != "complete":  # its alpha is taken for a constant, so the slope is not the function's
        assert torch.autograd.gradcheck(lambda x: loss(a, x), b)
    assert loss(a[:0], b[:0], "mean") == 0


def test_boxes_are_cut_sorted_out_and_drawn_around_masks():
    boxes = torch.tensor([[-5.0, 2, 30, 8], [3, 3, 4, 9], [50, 50, 60, 60]])
    cut = ops.clip_boxes_to_image(boxes, (7, 20))
    assert cut.tolist() == [[0, 2, 20, 7], [3, 3, 4, 7], [20, 7, 20, 7]]
    assert ops.remove_small_boxes(cut, 1).tolist() == [0, 1]
    assert ops.remove_small_boxes(cut, 1.5).tolist() == [0]
    assert ops.box_area(cut).tolist() == [100, 4, 0]
    masks = torch.zeros(3, 5, 6, dtype=torch.bool)
    masks[0, 1:3, 2:6] = masks[1, 4, 0] = True
    assert ops.masks_to_boxes(masks).tolist() == [[2, 1, 5, 2], [0, 4, 0, 4], [0, 0, 0, 0]]
    assert ops.masks_to_boxes(masks[:0]).shape == (0, 4)


@pytest.mark.craft("DE29")
def test_the_level_of_a_pyramid_goes_by_size():
    sides = torch.tensor([10.0, 111, 112, 223, 224, 447, 448, 4000])
    boxes = torch.stack([sides * 0, sides * 0, sides * 2, sides / 2], 1)
    assert pyramid_level(boxes, 2, 5).tolist() == [2, 2, 3, 3, 4, 4, 5, 5]


def test_each_region_is_read_from_the_map_of_its_level():
    generator = torch.Generator().manual_seed(0)
    pyramid = {f"p{n}": torch.randn(2, 3, 512 >> n, 512 >> n, generator=generator) for n in (2, 3, 4, 5)}
    boxes = [torch.tensor([[0.0, 0, 300, 250], [8, 8, 30, 40]]), torch.tensor([[9.0, 9, 130, 140], [0, 0, 500, 480]])]
    pooled = ops.MultiScaleRoIAlign(["p2", "p3", "p4", "p5"], 7, 2)(pyramid, boxes, [(500, 512), (512, 400)])
    for region, (picture, level) in enumerate([(0, 4), (0, 2), (1, 3), (1, 5)]):
        box = torch.cat([torch.tensor([[float(picture)]]), boxes[picture][[region % 2]]], 1)
        assert torch.allclose(pooled[region], ops.RoIAlign(7, 0.5**level, 2)(pyramid[f"p{level}"], box)[0], atol=1e-6)
    single = ops.MultiScaleRoIAlign(["p3"], (2, 4), 0)(pyramid, boxes, [(512, 512)] * 2)
    assert torch.allclose(single, ops.roi_align(pyramid["p3"], boxes, (2, 4), 1 / 8))
    assert torch.equal(ops.RoIPool(3, 1 / 8)(pyramid["p3"], boxes), ops.roi_pool(pyramid["p3"], boxes, 3, 1 / 8))
    with pytest.raises(ValueError, match="p9"):
        ops.MultiScaleRoIAlign(["p9"], 7, 2)(pyramid, boxes, [(512, 512)] * 2)


class Detect(torch.nn.Module):
    def forward(self, boxes, scores, groups, maps):
        kept = ops.nms(boxes, scores, 0.5)
        rois = torch.cat([torch.zeros_like(boxes[kept][:, :1]), boxes[kept]], 1)
        return kept, ops.batched_nms(boxes, scores, groups, 0.5), ops.roi_align(maps, rois, 7, 0.25, 2, True)


def test_an_exported_graph_answers_the_same_for_other_boxes():
    def given(seed):
        generator = torch.Generator().manual_seed(seed)
        corner = torch.rand(40, 2, generator=generator) * 60 - 10
        maps = torch.randn(1, 2, 25, 25, generator=generator)
        return torch.cat([corner, corner + 20], 1), torch.rand(40, generator=generator), torch.arange(40) % 3, maps

    program = torch.export.export(Detect(), given(0))
    called = {str(node.target) for node in program.graph.nodes}
    assert {"osler.nms.default", "osler.roi_align.default"} <= called
    for seed in range(4):
        for ours, exported in zip(Detect()(*given(seed)), program.module()(*given(seed)), strict=True):
            assert torch.equal(ours, exported)
    assert graph_nodes.apart(torch.zeros(2, 4, dtype=torch.int64), torch.tensor([0, 1])).is_floating_point()
