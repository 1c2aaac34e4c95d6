"""A class that validation never shows is told; a rare one is a note, and one that is there is nothing."""

import pytest
from detection_programs import HEAD, program
from planted import diagnose_code, found, line_of

FAULT = "class-never-validated"


def test_a_class_that_only_training_has_is_told_at_the_validation_loader() -> None:
    source = program("if seed == 2: labels[:] = 0")
    finding = found(diagnose_code(source, head=HEAD), FAULT)
    assert finding is not None
    assert finding.where.line == line_of(source, "held_out = DataLoader", head=HEAD)
    assert "class 1 (45 in training)" in finding.evidence


@pytest.mark.parametrize(
    "change", ["", "labels[:] = 0\nif seed == 1 and k in (1, 2): labels[:] = 1", "if seed == 2: labels += 5"]
)
def test_rare_classes_and_other_numberings_are_let_be(change: str) -> None:
    assert found(diagnose_code(program(change), head=HEAD), FAULT) is None
