"""Boxes beyond their pictures are told; those that touch the edge, or reach over it as cut-off objects may, are not."""

import pytest
from detection_programs import HEAD, program, with_rows
from planted import diagnose_code, found, line_of

FAULT = "box-outside-picture"

MAKES_BOXES = '"boxes": boxes'
AMODAL = """
if len(boxes) and k % 3 == 0:
    reaches = boxes[:, 2] >= 55
    boxes[reaches, 2] += 4
"""


def test_boxes_of_larger_pictures_are_told_where_they_are_made() -> None:
    source = program("boxes, masks = boxes * 2.0, masks[:, :8, :8]")
    finding = found(diagnose_code(source, head=HEAD), FAULT)
    assert finding is not None
    assert finding.severity == "critical"
    assert finding.where.line == line_of(source, MAKES_BOXES, head=HEAD)
    assert "of 92 boxes" in finding.evidence
    assert "image_id" in finding.evidence
    assert "2 times" in finding.evidence  # how much larger


def test_shares_beyond_the_picture_are_told_of_tables() -> None:
    assert found(diagnose_code(with_rows("boxes = boxes + 40"), head=HEAD), FAULT) is not None


@pytest.mark.parametrize("change", ["", AMODAL, "boxes = boxes + torch.tensor([-0.5, -0.5, 0.5, 0.5])"])
def test_boxes_at_the_edge_are_let_be(change: str) -> None:
    diagnosis = diagnose_code(program(change), head=HEAD)
    assert not diagnosis.sick
    assert found(diagnosis, FAULT) is None


def test_a_table_within_its_pictures_is_let_be() -> None:
    assert not diagnose_code(with_rows(), head=HEAD).sick
