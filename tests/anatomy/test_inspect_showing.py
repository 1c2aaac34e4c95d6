"""The anatomy as a table, as data, as Markdown and as a drawing."""

import json
import re
import xml.etree.ElementTree as ET
from itertools import combinations, pairwise

import pytest
import torch
from torch import nn

from osler.anatomy.as_data import as_data
from osler.anatomy.drawing import as_svg
from osler.anatomy.folding import ROWS, folded
from osler.anatomy.graph import boxes_of
from osler.anatomy.inspecting import inspect_network
from osler.anatomy.layer import Anatomy
from osler.anatomy.layout import laid_out
from osler.anatomy.markdown import as_markdown
from osler.anatomy.terminal import as_text
from osler.anatomy.wording import count, megabytes, share, size_in_bytes
from osler.models.registry import create_model

SEVERAL = ["lenet5", "resnet152", "googlenet", "densenet121", "seresnet50", "vgg16_bn", "mobilenet_v3_large"]
SVG = "{http://www.w3.org/2000/svg}"


def anatomy(name: str) -> Anatomy:
    with torch.device("meta"):
        model = create_model(name)
    return inspect_network(model, (3, model.input_size, model.input_size), name=name)


@pytest.fixture(scope="module")
def resnet() -> Anatomy:
    return anatomy("resnet18")


@pytest.mark.parametrize("name", SEVERAL)
@pytest.mark.parametrize("depth", [None, 0, 1, 2])
def test_blocks_hold_every_layer_once_in_order(name: str, depth: int | None) -> None:
    counted = anatomy(name)
    blocks = folded(counted, depth)
    assert [layer for block in blocks for layer in block.layers] == list(counted.layers)
    assert sum(block.multiply_adds for block in blocks) == counted.multiply_adds
    if depth:
        assert all(block.path.count(".") < depth for block in blocks)
    if depth is None:
        assert len(blocks) <= max(ROWS, len(folded(counted, 1)))


@pytest.mark.parametrize("name", SEVERAL)
def test_the_table_is_readable_at_100_columns(name: str) -> None:
    lines = as_text(anatomy(name)).splitlines()
    assert max(len(line) for line in lines) <= 100
    assert not any("…" in line[60:] for line in lines), "a number is cut off"


def test_the_table_tells_what_was_found(resnet: Anatomy) -> None:
    text = as_text(resnet, depth=1)
    row = next(line for line in text.splitlines() if line.startswith("layer4"))
    assert row.split() == [
        "layer4",
        "Sequential",
        "(16)",
        "512x7x7",
        "435",
        "32",
        "8.39M",
        "72",
        "411M",
        "23",
        "1.61",
        "0.91",
    ]
    assert "1,814,073,344 for one picture" in text
    assert "11,689,512 (5,800 of them biases)" in text


@pytest.mark.craft("LA02")
def test_formulas_are_worked_out(resnet: Anatomy) -> None:
    text = as_text(resnet, worked=True)
    assert "output size    (224 - 7 + 2·3)/2 + 1 = 112.5, rounded down: 112" in text
    assert "output size    (56 - 3 + 2·1)/1 + 1 = 56\n" in text
    assert "multiply-adds  112·112 · 64 · 3 · 7·7 = 118,013,952" in text
    assert "sees           11x11 pixels, 4 from one position to the next, position 0 around pixel 0\n" in text


@pytest.mark.craft("LA02")
@pytest.mark.parametrize(
    ("layer", "side", "formula"),
    [
        (nn.Conv2d(3, 3, 7, 2, 3), 224, "(224 - 7 + 2·3)/2 + 1 = 112.5, rounded down: 112"),
        (nn.MaxPool2d(3, 2), 55, "(55 - 3 + 2·0)/2 + 1 = 27"),
        (nn.MaxPool2d(3, 2, ceil_mode=True), 112, "(112 - 3 + 2·0)/2 + 1 = 55.5, rounded up: 56"),
        (nn.AvgPool2d(2, 2, 1, ceil_mode=True), 5, "(5 - 2 + 2·1)/2 + 1 = 3.5, no window may begin in the padding: 3"),
        (nn.Conv2d(3, 3, 3, padding=2, dilation=2), 32, "(32 - (2·(3 - 1) + 1) + 2·2)/1 + 1 = 32"),
        (nn.ConvTranspose2d(3, 3, 4, 2, 1), 7, "(7 - 1)·2 - 2·1 + 4 + 0 = 14"),
        (nn.AdaptiveAvgPool2d(6), 13, "13 positions shared out among 6"),
    ],
)
def test_each_kind_of_window_has_its_formula(layer: nn.Module, side: int, formula: str) -> None:
    counted = inspect_network(nn.Sequential(layer), (3, side, side)).layers[0]
    assert counted.windows[0].formulas == (formula,)
    assert counted.output_shape[-1] == int(re.findall(r"\d+", formula)[-1])


def test_sides_that_differ_are_worked_out_apart() -> None:
    use = inspect_network(nn.Sequential(nn.Conv2d(3, 3, (1, 7), padding=(0, 3))), (3, 17, 17)).layers[0].windows[0]
    assert use.formulas == ("(17 - 1 + 2·0)/1 + 1 = 17", "(17 - 7 + 2·3)/1 + 1 = 17")
    assert use.short == "1x7 p0x3"


def test_data_are_complete_and_add_up(resnet: Anatomy) -> None:
    data = json.loads(json.dumps(as_data(resnet)))
    assert data["totals"]["parameters"] == 11_689_512
    for key, total in (("multiply_adds", "multiply_adds"), ("training_bytes", "training_bytes"), ("biases", "biases")):
        assert sum(layer[key] for layer in data["layers"]) == data["totals"][total]
        assert sum(block[key] for block in data["blocks"]) == data["totals"][total]
    for share_of in ("parameters", "multiply_adds", "output_bytes", "training_bytes"):
        assert sum(layer["share"][share_of] for layer in data["layers"]) == pytest.approx(1)
    pool = next(layer for layer in data["layers"] if layer["path"] == "maxpool")
    assert pool["receptive_field"]["size"] == [11, 11]
    assert pool["receptive_field"]["jump"] == [4, 4]
    assert pool["receptive_field"]["first"] == [[-5, 5], [-5, 5]]
    assert pool["windows"][0]["kernel"] == [3, 3]


def test_markdown_has_a_row_for_each_block(resnet: Anatomy) -> None:
    page = as_markdown(resnet, depth=1, worked=True)
    table = [line for line in page.splitlines() if line.startswith("|")]
    assert len(table) == 2 + len(folded(resnet, 1))
    assert len({line.count("|") for line in table}) == 1
    assert "- **multiply-adds**: 1,814,073,344 for one picture" in page
    assert "output size: (224 - 7 + 2·3)/2 + 1 = 112.5" in page


def test_a_notebook_gets_the_table(resnet: Anatomy) -> None:
    page = resnet._repr_html_()
    assert "<pre" in page
    assert "layer4.1" in page


@pytest.mark.parametrize("name", SEVERAL)
def test_the_drawing_shows_every_box_and_no_two_overlap(name: str) -> None:
    counted = anatomy(name)
    boxes = boxes_of(counted)
    drawing = ET.fromstring(as_svg(counted))
    width, height = float(drawing.attrib["width"]), float(drawing.attrib["height"])
    places = []
    for box in drawing.iter(f"{SVG}rect"):
        x, y, w, h = (float(box.attrib[k]) for k in ("x", "y", "width", "height"))
        assert x >= 0
        assert y >= 0
        assert x + w <= width
        assert y + h <= height
        places.append((x, y, w, h))
    assert len(places) == len(boxes) + 1
    for (x, y, w, h), (a, b, c, d) in combinations(places, 2):
        assert x + w <= a or a + c <= x or y + h <= b or b + d <= y, "two boxes overlap"
    arrows = [e for e in drawing.iter(f"{SVG}path") if e.attrib.get("class") == "arrow"]
    assert len(arrows) == sum(len(box.sources) for box in boxes)


def test_branches_are_drawn_and_what_passes_a_map_on_is_joined_to_its_layer(resnet: Anatomy) -> None:
    boxes = boxes_of(resnet)
    sums = [box for box in boxes if len(box.sources) == 2]
    assert len(sums) == 8
    assert boxes[0].lines == ["Conv2d 7x7/2 p3", "BatchNorm2d", "ReLU"]
    assert sum(box.multiply_adds for box in boxes) == resnet.multiply_adds
    inception = boxes_of(anatomy("googlenet"))
    assert max(len(box.sources) for box in inception) == 4


def test_places_lie_below_their_sources_and_apart() -> None:
    sources = [[-1], [0], [0], [0], [1, 2, 3, 0], [4]]
    layout = laid_out(sources)
    rows = [place.row for place in layout.places]
    assert rows == [0, 1, 2, 2, 2, 3, 4]
    for box, taken in enumerate(sources):
        assert all(rows[box + 1] > rows[source + 1] for source in taken)
    taken_columns = sorted(place.column for place in layout.places if place.row == 2)
    long = next(arrow for arrow in layout.arrows if (arrow.source, arrow.target) == (0, 4))
    columns = sorted([*taken_columns, *(place.column for place in long.through)])
    assert all(b - a >= 1 - 1e-9 for a, b in pairwise(columns)), "an arrow runs through a box"


def test_words_for_numbers() -> None:
    assert [count(n) for n in (0, 7, 999, 1000, 36_864, 999_700, 1_814_073_344, 2.5e13)] == [
        "0", "7", "999", "1k", "36.9k", "1M", "1.81G", "25T",
    ]  # fmt: skip
    assert [size_in_bytes(n) for n in (0, 512, 3_211_264, None)] == ["0 B", "512 B", "3.21 MB", "?"]
    assert [megabytes(n) for n in (0, 4000, 3_211_264, 118e6, 5e9, None)] == ["", "0.00", "3.21", "118", "5000", "?"]
    assert [share(*s) for s in ((0, 0), (1, 1000), (74, 100))] == ["", "", "74"]
