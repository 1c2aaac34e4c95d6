"""Annotations that were joined twice are told; crowds, and one box of two classes, are not."""

import pytest
from detection_programs import HEAD, program, with_rows
from planted import diagnose_code, found, line_of

FAULT = "duplicate-boxes"

TWICE = "boxes, labels, masks = boxes.repeat(2, 1), labels.repeat(2), masks.repeat(2, 1, 1)"
IN_COLLATE = '"image_id": torch.tensor(k)'


def test_objects_that_stand_there_twice_are_told() -> None:
    finding = found(diagnose_code(program(TWICE), head=HEAD), FAULT)
    assert finding is not None
    assert "92 of 184 boxes" in finding.evidence
    assert "2 times" in finding.evidence


def test_a_table_with_every_row_twice_is_told_at_its_loader() -> None:
    source = with_rows(times=2)
    finding = found(diagnose_code(source, head=HEAD), FAULT)
    assert finding is not None
    assert finding.where.line == line_of(source, "collate_fn=table", head=HEAD)


@pytest.mark.parametrize("flag", ["", '"iscrowd": torch.ones(len(boxes)), '])
def test_one_box_of_two_classes_and_crowds_are_let_be(flag: str) -> None:
    change = TWICE if flag else TWICE.replace("labels.repeat(2)", "torch.cat([labels, 1 - labels])")
    source = program(change).replace(IN_COLLATE, flag + IN_COLLATE)
    assert found(diagnose_code(source, head=HEAD), FAULT) is None
