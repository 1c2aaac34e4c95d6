"""Objects that fall between the cells are told; objects of the size of a cell are not."""

import pytest
from detection_programs import HEAD, program
from planted import diagnose_code, found, line_of

FAULT = "objects-below-stride"


def test_objects_of_a_few_pixels_under_a_stride_of_eight_are_told() -> None:
    source = program(low=2, high=4)
    finding = found(diagnose_code(source, head=HEAD), FAULT)
    assert finding is not None
    assert "92 of 92 objects" in finding.evidence
    assert "stride of 8 pixels" in finding.evidence
    assert finding.where.line == line_of(source, '"boxes": boxes', head=HEAD)


@pytest.mark.parametrize(("low", "high"), [(8, 20), (5, 9)])
def test_objects_from_half_a_cell_on_are_let_be(low: int, high: int) -> None:
    diagnosis = diagnose_code(program(low=low, high=high), head=HEAD)
    assert found(diagnosis, FAULT) is None
    assert FAULT not in [skipped.fault for skipped in diagnosis.skipped]  # it did look
