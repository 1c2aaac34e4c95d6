"""The published arithmetic of the detectors of one stage: levels, boxes, outputs, first scores."""

import pytest
import torch
from torch import nn

from osler.models.detection.dense_head import PRIOR
from osler.models.detection.ssd import EXTRAS_300, EXTRAS_512
from osler.models.detection.ssd_backbone import FIRST_LENGTH, FurtherMaps, SsdVgg
from osler.models.registry import create_model
from osler.ops.roi_layers import pyramid_level
from osler.structures.errors import RecipeError

CPU = torch.device("cpu")


def on_meta(name: str, **options: object) -> nn.Module:
    with torch.device("meta"):
        return create_model(name, **{"num_classes": 20} | options)


@pytest.mark.craft("DE31")
@pytest.mark.parametrize(
    ("name", "sides", "count"),
    [("ssd300", (38, 19, 10, 5, 3, 1), 8732), ("ssd512", (64, 32, 16, 8, 4, 2, 1), 24564)],
)
def test_ssd_has_its_published_maps_and_default_boxes(name: str, sides: tuple[int, ...], count: int) -> None:
    """Liu et al. 2016, section 3.1 (8732) and 3.3."""
    torch.manual_seed(0)
    model = create_model(name, num_classes=2, width=0.125).eval()
    images = torch.randn(1, 3, model.input_size, model.input_size)
    with torch.no_grad():
        answers = model.answers(images)
    assert answers.grids == tuple((side, side) for side in sides)
    assert answers.scores.shape == (1, count, 3)
    assert answers.codes.shape == (1, count, 4)
    assert len(model.reading.layout(answers.grids, answers.picture, CPU)) == count


def test_ssd_sees_nothing_below_its_smallest_picture() -> None:
    for extras in (EXTRAS_300, EXTRAS_512):
        body = SsdVgg(width=0.125).eval()
        neck = FurtherMaps(body.channels, extras, width=0.125)
        assert neck(body(torch.zeros(1, 3, 268, 268)))[-1].shape[-2:] == (1, 1)
        with pytest.raises(RuntimeError, match="[Kk]ernel size"):
            neck(body(torch.zeros(1, 3, 267, 267)))


def test_the_first_map_of_ssd_has_the_same_length_at_every_position() -> None:
    """Section 3.1: scaled to length 1, times a factor that starts at 20."""
    torch.manual_seed(0)
    body = SsdVgg(width=0.125)
    fine, coarse = body(torch.randn(1, 3, 64, 64))
    length = fine.norm(dim=1)
    torch.testing.assert_close(length, torch.full_like(length, FIRST_LENGTH), rtol=1e-3, atol=1e-3)
    assert (fine.shape[-1], coarse.shape[-1]) == (8, 4)
    assert (body.fc6.dilation, body.pool5.stride) == ((6, 6), 1)


def test_ssd_starts_from_a_trained_vgg_of_which_every_third_row_and_fourth_unit_is_kept(monkeypatch) -> None:
    vgg = create_model("vgg16", num_classes=10)
    monkeypatch.setattr("osler.models.detection.ssd_backbone.create_model", lambda *_a, **_k: vgg)
    body = SsdVgg()
    body.start_from("torchvision", 3)
    assert torch.equal(body.features[0].weight, vgg.features[0].weight)
    assert torch.equal(body.conv5[4].weight, vgg.features[28].weight)
    first = vgg.classifier[0].weight.reshape(4096, 512, 7, 7)
    assert torch.equal(body.fc6.weight[2, 5, 1, 2], first[8, 5, 3, 6])
    assert torch.equal(body.fc7.weight[2, 5, 0, 0], vgg.classifier[3].weight[8, 20])
    assert torch.equal(body.fc7.bias, vgg.classifier[3].bias[::4])


def test_a_narrow_ssd_has_no_trained_weights() -> None:
    with pytest.raises(RecipeError, match="width 1; given: width=0.5"):
        create_model("ssd300", num_classes=2, width=0.5, vgg_weights="torchvision")


@pytest.mark.craft("DE29")
def test_the_levels_of_the_pyramid_halve_and_regions_go_to_them_by_size() -> None:
    """Lin et al. 2017: P2 to P5 of 224 pixels, and equation 1."""
    model = on_meta("retinanet", strides=(4, 8, 16, 32))
    levels = model.neck(model.backbone(torch.zeros(1, 3, 224, 224, device="meta")))
    assert [level.shape[-1] for level in levels] == [56, 28, 14, 7, 4, 2]
    assert {level.shape[1] for level in levels} == {256}
    sides = torch.tensor([56.0, 112, 223, 224, 447, 448, 900])
    boxes = torch.stack((torch.zeros(7), torch.zeros(7), sides, sides), dim=1)
    assert pyramid_level(boxes, 2, 5).tolist() == [2, 3, 3, 4, 4, 5, 5]


@pytest.mark.craft("DE34")
def test_retinanet_is_as_published() -> None:
    """Section 4: nine anchors at P3 to P7, towers of four, and scores that start at 0.01."""
    model = on_meta("retinanet", num_classes=80)
    answers = model.answers(torch.zeros(1, 3, 800, 800, device="meta"))
    assert answers.grids == ((100, 100), (50, 50), (25, 25), (13, 13), (7, 7))
    assert answers.scores.shape == (1, 9 * sum(r * c for r, c in answers.grids), 80)
    assert sum(isinstance(m, nn.Conv2d) for m in model.head.scores[0]) == 5
    torch.manual_seed(0)
    light = create_model("retinanet_light", num_classes=3)
    torch.testing.assert_close(light.head.scores[0][-1].bias.sigmoid(), torch.full((27,), PRIOR))


def test_yolo_v1_gives_1470_numbers_from_a_map_of_7x7() -> None:
    """Redmon et al. 2016, section 2: S = 7, B = 2, C = 20."""
    model = on_meta("yolo_v1")
    assert model.head.cells.out_features == 1470
    seen = model.head.convolutions(model.backbone(torch.zeros(1, 3, 448, 448, device="meta"))[0])
    assert seen.shape == (1, 1024, 7, 7)
    assert (model.reading.coordinate, model.reading.empty) == (5, 0.5)


def test_yolo_v3_gives_255_numbers_a_cell_and_10647_boxes() -> None:
    """Redmon and Farhadi 2018, section 2.3: 3 x (4 + 1 + 80) at each cell; 416 pixels have 10647 boxes."""
    model = on_meta("yolo_v3", num_classes=80)
    assert {s.out_channels + c.out_channels for s, c in zip(model.head.scores, model.head.codes, strict=True)} == {255}
    answers = model.answers(torch.zeros(1, 3, 416, 416, device="meta"))
    assert answers.scores.shape[1] == 10647
    assert model.reading.layout.shapes[2] == ((116, 90), (156, 198), (373, 326))


def test_a_decoupled_head_shares_nothing_but_its_first_convolution() -> None:
    model = on_meta("yolo_free_light")
    answers = model.answers(torch.zeros(1, 3, 320, 320, device="meta"))
    assert answers.grids == ((40, 40), (20, 20), (10, 10))
    assert answers.scores.shape == (1, 2100, 20)
    branches = [{id(p) for p in b.parameters()} for b in (model.head.scores, model.head.codes)]
    assert not branches[0] & branches[1]
