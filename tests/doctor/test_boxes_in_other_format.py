"""Sizes read as corners and shares read as pixels are told; what the program converts, or reads as it is written, is not."""

import pytest
from detection_programs import DETECTOR, HEAD, LOOP, program
from planted import diagnose_code, found, line_of

FAULT = "boxes-in-other-format"

SIZED = "boxes[:, 2:] -= boxes[:, :2]"
PUBLIC = """
class FasterRCNN(Detector):
    pass
FasterRCNN.__module__ = "torchvision.models.detection.faster_rcnn"  # as a detector of that library calls itself
net = FasterRCNN()
"""
CONVERTED = LOOP.replace(
    "losses = net(pictures, targets)",
    "targets = [{**t, 'boxes': torch.cat([t['boxes'][:, :2], t['boxes'][:, :2] + t['boxes'][:, 2:]], 1)} for t in targets]\n"
    "        losses = net(pictures, targets)",
)
CENTRED = """
boxes = torch.cat([(boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]], 1) / 64
"""
READS_CENTRED = """
net = nn.Sequential(nn.Conv2d(1, 16, 3, 2, 1), nn.ReLU(), nn.Conv2d(16, 16, 3, 2, 1), nn.ReLU(), nn.Conv2d(16, 4, 3, 2, 1))
optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)
for epoch in range(3):
    for pictures, targets in train:
        said, loss = net(pictures), 0.0
        for k, target in enumerate(targets):
            for x, y, w, h in target["boxes"]:
                loss = loss + F.l1_loss(said[k, :, int(y * 8), int(x * 8)], torch.stack([x, y, w, h]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
"""


def test_sizes_that_the_code_reads_as_corners_are_told() -> None:
    source = program(SIZED)
    finding = found(diagnose_code(source, head=HEAD), FAULT)
    assert finding is not None
    assert finding.severity == "critical"
    assert finding.where.line == line_of(source, '"boxes": boxes', head=HEAD)
    assert "x, y, width, height" in finding.evidence
    assert "boxes[:, 2:] += boxes[:, :2]" in finding.remedies[0].change


def test_shares_for_a_detector_that_reads_pixels_are_told() -> None:
    finding = found(diagnose_code(program("boxes = boxes / 64", detector=DETECTOR + PUBLIC), head=HEAD), FAULT)
    assert finding is not None
    assert "FasterRCNN reads pixels" in finding.evidence


def test_shares_in_some_pictures_and_pixels_in_others_are_told() -> None:
    finding = found(diagnose_code(program("if k % 2: boxes = boxes / 64"), head=HEAD), FAULT)
    assert finding is not None
    assert "24 pictures" in finding.evidence


@pytest.mark.parametrize(
    ("change", "detector", "loop"),
    [
        ("", DETECTOR + PUBLIC, LOOP),
        (SIZED, DETECTOR, CONVERTED),  # COCO's boxes, made corners on their way
        (CENTRED, "", READS_CENTRED),  # in DETR's manner
    ],
)
def test_boxes_that_are_read_as_they_are_written_are_let_be(change: str, detector: str, loop: str) -> None:
    assert found(diagnose_code(program(change, detector=detector, loop=loop), head=HEAD), FAULT) is None
