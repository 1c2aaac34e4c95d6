"""Masks elsewhere than their boxes, or empty, are told; looser boxes and smaller masks are not."""

import pytest
from detection_programs import HEAD, program
from planted import diagnose_code, found, line_of

FAULT = "masks-off-boxes"


@pytest.mark.parametrize("change", ["masks = masks.flip(2)", "masks = masks.flip(0)", "masks = masks * 0"])
def test_masks_that_were_not_moved_with_their_boxes_are_told(change: str) -> None:
    source = program(change)
    finding = found(diagnose_code(source, head=HEAD), FAULT)
    assert finding is not None
    assert finding.where.line == line_of(source, '"boxes": boxes', head=HEAD)
    assert "its mask" in finding.evidence


@pytest.mark.parametrize(
    "change",
    [
        "",
        "masks[:, ::2] = 0",  # with holes
        "boxes = (boxes + torch.tensor([-2.0, -2.0, 2.0, 2.0])).clamp(0, 64)",
        "masks = masks[:, ::4, ::4]",  # of another size than the picture: not to be compared
    ],
)
def test_masks_inside_their_boxes_are_let_be(change: str) -> None:
    assert found(diagnose_code(program(change), head=HEAD), FAULT) is None
