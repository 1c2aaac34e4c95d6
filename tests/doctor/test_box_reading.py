"""What plainly reads corners is told from what converts, and from what makes data."""

import pytest

from osler.doctor.box_reading import BoxReading, boxes_line
from osler.doctor.script_reading import ScriptReading


def reading(code: str) -> BoxReading:
    return BoxReading(ScriptReading(code))


@pytest.mark.parametrize(
    "line",
    [
        "area = (b[:, 2] - b[:, 0]) * (b[:, 3] - b[:, 1])",
        "sides = b[..., 2:] - b[..., :2]",
        "width = x2 - x1",
        "middle = (b[:, 0] + b[:, 2]) / 2",
        "middle = 0.5 * (b[:, :2] + b[:, 2:])",
    ],
)
def test_a_loss_that_takes_differences_of_corners_reads_corners(line: str) -> None:
    assert reading(f"def loss(b, x1, x2):\n    {line}\n").corners
    assert not reading(f"def draw(b, x1, x2):\n    {line}\n").corners  # nothing that learns


def test_an_operator_on_corners_reads_corners() -> None:
    assert reading("o = torchvision.ops.box_iou(a, b)").corners


@pytest.mark.parametrize(
    "line",
    [
        "b = torch.stack([b[:, 0], b[:, 1], b[:, 0] + b[:, 2], b[:, 1] + b[:, 3]], 1)",
        "b = torch.cat([b[:, :2] - b[:, 2:] / 2, b[:, :2] + b[:, 2:] / 2], 1)",
        "x, y, w, h = b.unbind(1)\nb = torch.stack([x, y, x + w, y + h], 1)",
        "cx, cy, w, h = b.unbind(1)\nx1 = cx - w / 2",
        "b = box_convert(b, 'cxcywh', 'xyxy')",
        "b = cxcywh_to_corners(b)",
    ],
)
def test_code_that_converts_proves_nothing(line: str) -> None:
    read = reading(f"def loss(b):\n    return (b[:, 2] - b[:, 0]).sum()\n{line}\n")
    assert not read.corners


def test_what_a_data_set_adds_up_to_corners_does_not_count() -> None:
    data = "class Data:\n    def __getitem__(self, k):\n        return [x, y, x + w, y + h]\n"
    assert reading(f"{data}def iou(a):\n    return a[2] - a[0]\n").corners


def test_the_line_of_the_boxes_is_found_in_every_way_to_write_it() -> None:
    for code in (
        't = {\n    "labels": l,\n    "boxes": b,\n}',
        't = {}\n\nt["boxes"] = b',
        "\n\nt = dict(boxes=b, labels=l)",
    ):
        assert boxes_line(ScriptReading(code)) == 3
    assert boxes_line(ScriptReading("x = 1")) is None
