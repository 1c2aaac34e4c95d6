"""Anchors of other sizes than the objects are told, with those that fit; fitting ones, in whatever unit, are not."""

import pytest
from detection_programs import HEAD, anchored
from planted import diagnose_code, found

FAULT = "anchors-miss-objects"

FITTING = [(10, 10), (16, 12), (12, 16), (18, 18)]


def test_anchors_that_are_much_too_large_are_told_with_better_ones() -> None:
    finding = found(diagnose_code(anchored([(64, 64), (48, 96)]), head=HEAD), FAULT)
    assert finding is not None
    assert "of 92 objects" in finding.evidence
    assert "Use these 2 anchors" in finding.remedies[0].change
    met = int(finding.remedies[0].change.partition("which meet ")[2].partition("%")[0])
    assert met > 80


@pytest.mark.parametrize("unit", [1, 64, 8])
def test_anchors_that_fit_in_pixels_shares_or_cells_are_let_be(unit: int) -> None:
    source = anchored(FITTING).replace("torch.tensor(sides).float()", f"torch.tensor(sides).float() / {unit}")
    source = source.replace("self.anchors / 2", f"self.anchors * {unit} / 2")
    diagnosis = diagnose_code(source, head=HEAD)
    assert found(diagnosis, FAULT) is None
    assert FAULT not in [skipped.fault for skipped in diagnosis.skipped]  # it did look
