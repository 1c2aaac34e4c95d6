import pytest
import torch

from osler.ops.anchors import (
    AnchorLevels,
    base_anchors,
    fpn_levels,
    generate_anchors,
    grid_stride,
    inside_picture,
    retinanet_levels,
    spread_anchors,
)
from osler.ops.box_coding import decode_yolo_anchors
from osler.ops.cell_anchors import YOLO_V3, CellAnchors, cell_places, cell_points
from osler.ops.default_boxes import SSD300, SSD512, DefaultBoxes, ssd_scales

SSD300_GRIDS = [(38, 38), (19, 19), (10, 10), (5, 5), (3, 3), (1, 1)]


@pytest.mark.craft("DE18")
def test_the_nine_anchors_of_py_faster_rcnn_integer_by_integer():
    assert generate_anchors().tolist() == [
        [-84, -40, 99, 55],
        [-176, -88, 191, 103],
        [-360, -184, 375, 199],
        [-56, -56, 71, 71],
        [-120, -120, 135, 135],
        [-248, -248, 263, 263],
        [-36, -80, 51, 95],
        [-80, -168, 95, 183],
        [-168, -344, 183, 359],
    ]


@pytest.mark.craft("DE18")
def test_the_unscaled_square_is_the_base_itself():
    assert generate_anchors(16, (1,), (1,)).tolist() == [[0, 0, 15, 15]]


def test_base_anchors_are_rounded_centred_and_keep_their_area():
    anchors = base_anchors([32], [0.5, 1, 2])
    assert anchors.tolist() == [[-23, -11, 23, 11], [-16, -16, 16, 16], [-11, -23, 11, 23]]
    large = base_anchors([512, 1024], [0.5, 1, 2])  # ratio by ratio, in it size by size
    sides = large[:, 2:] - large[:, :2]
    assert torch.allclose(sides.prod(1).sqrt(), torch.tensor([512.0, 1024] * 3), rtol=0.01)
    assert torch.allclose(sides[:, 1] / sides[:, 0], torch.tensor([0.5, 0.5, 1, 1, 2, 2]), rtol=0.01)


def test_spread_anchors_go_row_by_row_and_differ_by_the_stride():
    base = base_anchors([10], [1])
    laid = spread_anchors(base, (5, 4), (3, 2)).reshape(5, 4, 4)
    assert laid[0, 0].tolist() == [-5, -5, 5, 5]
    assert laid[0, 1].tolist() == [-3, -5, 7, 5]
    assert laid[4, 3].tolist() == [1, 7, 11, 17]
    two = spread_anchors(torch.cat((base, 2 * base)), (2, 2), (1, 1))
    assert two[:2].tolist() == torch.cat((base, 2 * base)).tolist()  # anchor by anchor at a position


def test_levels_of_fpn_and_retinanet():
    grids = [(4, 6), (2, 3), (1, 2), (1, 1), (1, 1)]
    strides = [(4, 4), (8, 8), (16, 16), (32, 32), (64, 64)]
    fpn = fpn_levels()
    assert fpn.sizes == ((32,), (64,), (128,), (256,), (512,))
    assert [len(level) for level in fpn(grids, strides)] == [h * w * 3 for h, w in grids]
    retina = retinanet_levels()
    assert retina.sizes[:2] == ((32, 40, 50), (64, 80, 101))
    assert retina.per_position == (9,) * 5
    assert grid_stride((800, 1088), (13, 17)) == (61, 64)
    with pytest.raises(ValueError, match="5 levels"):
        fpn(grids[:2], strides)


def test_anchors_across_the_edge_are_told():
    anchors = torch.tensor([[0.0, 0, 8, 8], [-1, 0, 8, 8], [4, 4, 12, 8], [4, 4, 12, 9]])
    assert inside_picture(anchors, (8, 12)).tolist() == [True, False, True, False]
    assert inside_picture(anchors, (8, 12), margin=1).all()


def test_anchors_can_be_laid_on_a_device_that_holds_no_values():
    levels = AnchorLevels(((8.0,),))([(2, 3)], [(4, 4)], torch.device("meta"))
    assert levels[0].device.type == "meta"
    assert levels[0].shape == (18, 4)
    assert SSD300(SSD300_GRIDS, (300, 300), torch.device("meta")).shape == (8732, 4)
    assert CellAnchors()([(4, 4), (2, 2), (1, 1)], torch.device("meta"))[0].shape == (48, 4)


@pytest.mark.craft("DE31")
def test_ssd_scales_grow_evenly():
    assert ssd_scales(6) == pytest.approx([0.2, 0.34, 0.48, 0.62, 0.76, 0.9, 1.0])


@pytest.mark.craft("DE31")
def test_default_boxes_of_one_cell():
    boxes = DefaultBoxes(((2,),), (0.15, 0.9))([(1, 1)], (15, 15))
    root = 15 * (0.15 * 0.9) ** 0.5  # side of the extra square
    wide, high = 2.25 * 2**0.5, 2.25 / 2**0.5
    sides = [(2.25, 2.25), (root, root), (wide, high), (high, wide)]
    expected = [[7.5 - w / 2, 7.5 - h / 2, 7.5 + w / 2, 7.5 + h / 2] for w, h in sides]
    assert torch.allclose(boxes, torch.tensor(expected), atol=1e-5)


@pytest.mark.craft("DE31")
def test_ssd300_has_8732_boxes_at_the_middles_of_cells():
    boxes = SSD300(SSD300_GRIDS, (300, 300))
    assert boxes.shape == (8732, 4)  # Liu et al. 2016, table 7
    assert SSD300.per_position == (4, 6, 6, 6, 4, 4)
    middles = (boxes[:, :2] + boxes[:, 2:]) / 2
    assert torch.allclose(middles[:4], torch.tensor([4.0, 4]).expand(4, 2), atol=1e-4)
    assert torch.allclose(middles[4], torch.tensor([12.0, 4]), atol=1e-4)  # then along the row
    assert torch.allclose(middles[-1], torch.tensor([150.0, 150]), atol=1e-4)
    assert float((boxes[:, 2:] - boxes[:, :2]).max()) <= 300  # sides are clipped
    assert SSD512([(64, 64), (32, 32), (16, 16), (8, 8), (4, 4), (2, 2), (1, 1)], (512, 512)).shape == (24564, 4)


@pytest.mark.parametrize(("boxes", "side"), [(SSD300, 384), (SSD300, 512), (SSD512, 512), (SSD512, 640)])
def test_default_boxes_of_other_sizes_have_their_middles_in_the_picture(boxes, side):
    count, grids = len(boxes.ratios), [side // 8]
    while len(grids) < count:
        grids.append((grids[-1] + 1) // 2)
    made = boxes([(n, n) for n in grids], (side, side))
    middles = (made[:, :2] + made[:, 2:]) / 2
    assert (middles > 0).all()
    assert (middles < side).all()


def test_clipping_of_default_boxes():
    def made(clip):
        return DefaultBoxes(((),), (0.9, 1.6), clip=clip)([(1, 1)], (10, 10))

    assert made("none")[1].tolist() == pytest.approx([-1, -1, 11, 11])  # sqrt(0.9 * 1.6) = 1.2
    assert made("sides")[1].tolist() == pytest.approx([0, 0, 10, 10])
    off = DefaultBoxes(((),), (0.9, 0.9), clip="corners")([(2, 2)], (10, 10))
    assert off.min() == 0
    assert off.max() == 10
    with pytest.raises(ValueError, match="one scale more"):
        DefaultBoxes(((2,), (2,)), (0.1, 0.2))


@pytest.mark.craft("DE30")
def test_cells_of_yolo_v3():
    grids = [(52, 52), (26, 26), (13, 13)]
    levels = CellAnchors()(grids)
    assert sum(len(level) for level in levels) == 10647  # at 416 pixels
    first = levels[0][:3]
    assert torch.allclose((first[:, :2] + first[:, 2:]) / 2, torch.full((3, 2), 4.0))
    assert (first[:, 2:] - first[:, :2]).tolist() == [list(map(float, shape)) for shape in YOLO_V3[0]]
    assert cell_points((2, 3), 8).tolist()[:4] == [[4, 4], [12, 4], [20, 4], [4, 12]]


@pytest.mark.craft("DE30")
def test_cells_and_shapes_decode_to_the_anchors_where_the_network_says_nothing():
    layout, grid = CellAnchors(), (3, 5)
    places = cell_places(grid)
    assert places[:6].tolist() == [[0, 0], [1, 0], [2, 0], [3, 0], [4, 0], [0, 1]]
    shapes = torch.tensor(layout.shapes[1])
    boxes = decode_yolo_anchors(torch.zeros(15, 3, 4), places[:, None].expand(15, 3, 2), shapes.expand(15, 3, 2), 16)
    assert torch.allclose(boxes.reshape(-1, 4), layout([(1, 1), grid, (1, 1)])[1])
