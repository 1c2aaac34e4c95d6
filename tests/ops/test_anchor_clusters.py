import pytest
import torch

from osler.ops.anchor_clusters import cluster_anchors
from osler.ops.cell_anchors import shape_iou
from osler.ops.coverage import coverage_by_box, coverage_by_shape, recall_at


def made(seed=0, each=200):
    """Sizes spread by a few per cent around three shapes."""
    generator = torch.Generator().manual_seed(seed)
    shapes = torch.tensor([[10.0, 20], [60, 30], [200, 210]])
    noise = 1 + 0.05 * torch.randn(3, each, 2, generator=generator)
    return shapes, (shapes[:, None] * noise).flatten(0, 1)


@pytest.mark.parametrize("middle", ["median", "mean"])
def test_planted_shapes_are_found(middle):
    shapes, sizes = made()
    found = cluster_anchors(sizes, 3, generator=torch.Generator().manual_seed(1), middle=middle)
    assert torch.allclose(found.shapes, shapes, rtol=0.03)
    assert found.mean_iou == pytest.approx(float(shape_iou(sizes, found.shapes).amax(1).mean()), abs=1e-6)
    assert found.mean_iou > 0.9
    assert found.share.tolist() == pytest.approx([1 / 3] * 3)


def test_the_same_seed_gives_the_same_shapes_and_more_shapes_fit_better():
    sizes = torch.rand(500, 2, generator=torch.Generator().manual_seed(3)) * 100 + 1
    runs = [cluster_anchors(sizes, 5, generator=torch.Generator().manual_seed(7)) for _ in range(2)]
    assert torch.equal(runs[0].shapes, runs[1].shapes)
    fits = [cluster_anchors(sizes, k, generator=torch.Generator().manual_seed(7)).mean_iou for k in (1, 3, 9)]
    assert fits == sorted(fits)
    drawn = sizes[:9]  # shapes taken as they come
    assert fits[2] > float(shape_iou(sizes, drawn).amax(1).mean())


def test_small_boxes_count_as_much_as_large_ones():
    """With Euclidean distance both shapes would go to the spread of the large boxes; with IoU the small have their own."""
    small = torch.tensor([[2.0, 8.0]]).repeat(50, 1)
    wide, high = torch.tensor([[100.0, 120.0]]).repeat(25, 1), torch.tensor([[120.0, 100.0]]).repeat(25, 1)
    found = cluster_anchors(torch.cat((small, wide, high)), 2, generator=torch.Generator().manual_seed(0))
    assert found.shapes[0].tolist() == [2, 8]
    assert found.share.tolist() == [0.5, 0.5]


@pytest.mark.parametrize(
    ("sizes", "count", "message"),
    [
        (torch.tensor([[1.0, 2], [1, 2]]), 2, "1 different sizes"),
        (torch.tensor([[0.0, 2], [1, 2]]), 1, "above 0"),
        (torch.tensor([[torch.nan, 2], [1, 2]]), 1, "above 0"),
    ],
)
def test_sizes_that_cannot_be_clustered_are_refused(sizes, count, message):
    with pytest.raises(ValueError, match=message):
        cluster_anchors(sizes, count)


@pytest.mark.craft("DE03")
def test_coverage_counts_the_boundary_and_the_place():
    sizes = torch.tensor([[10.0, 10], [10, 20], [1, 1]])
    by_shape = coverage_by_shape(sizes, torch.tensor([[10.0, 10]]))
    assert by_shape.best.tolist() == pytest.approx([1, 0.5, 0.01])
    assert by_shape.matched.tolist() == [True, True, False]  # exactly 0.5 is matched
    assert by_shape.share == pytest.approx(2 / 3)
    boxes = torch.tensor([[0.0, 0, 10, 10], [5, 0, 15, 10]])
    by_box = coverage_by_box(boxes, torch.tensor([[0.0, 0, 10, 10]]))
    assert by_box.matched.tolist() == [True, False]
    assert by_box.mean_iou == pytest.approx((1 + 1 / 3) / 2)
    assert coverage_by_box(boxes, torch.empty(0, 4)).share == 0
    assert coverage_by_box(torch.empty(0, 4), boxes).share == 1


def test_recall_counts_the_first_proposals_only():
    boxes = torch.tensor([[0.0, 0, 10, 10], [20, 20, 30, 30]])
    proposals = torch.tensor([[50.0, 50, 60, 60], [20, 20, 30, 30], [0, 0, 10, 9]])
    assert recall_at(proposals, boxes, [0, 1, 2, 3, 9]) == [0, 0, 0.5, 1, 1]
    assert recall_at(proposals, boxes, [3], threshold=0.95) == [0.5]
