"""Some corners in the wrong order are told; positions and sizes, which are another fault, are not."""

import pytest
from detection_programs import HEAD, program
from planted import diagnose_code, found

FAULT = "box-corners-swapped"


def test_a_mirror_that_forgets_the_order_is_told() -> None:
    source = program("if k % 5 == 1: boxes = boxes[:, [2, 1, 0, 3]]")
    finding = found(diagnose_code(source, head=HEAD), FAULT)
    assert finding is not None
    assert finding.severity == "critical"
    assert "19 in x, 0 in y" in finding.evidence


@pytest.mark.parametrize("change", ["", "boxes[:, 2:] -= boxes[:, :2]"])
def test_ordered_corners_and_sizes_are_let_be(change: str) -> None:
    assert found(diagnose_code(program(change), head=HEAD), FAULT) is None


def test_sizes_of_cut_off_objects_are_not_taken_for_corners() -> None:
    # positions and sizes, read as such; a tenth reaches over the edge, so that no way to read them fits nearly all
    change = "boxes[:, 2:] -= boxes[:, :2]\nif k % 5 == 0: boxes[:, 2:] += 50"
    source = program(change).replace(
        "if targets is None:", "targets = targets and [self.cut(t) for t in targets]\n        if targets is None:"
    )
    source = source.replace(
        "    def forward(",
        "    def cut(self, t):\n        x, y, w, h = t['boxes'].unbind(1)\n"
        "        return {**t, 'boxes': torch.stack([x, y, (x + w).clamp(max=64), (y + h).clamp(max=64)], 1)}\n\n    def forward(",
    )
    diagnosis = diagnose_code(source, head=HEAD)
    assert diagnosis.ending == "finished"
    assert not [f for f in diagnosis.findings if f.fault.startswith("box") and f.counts]


def test_a_detector_that_refuses_such_boxes_crashes_because_of_them() -> None:
    source = program("boxes = boxes[:, [2, 1, 0, 3]]").replace(
        "        maps = self.body(pictures)",
        "        if targets and any((t['boxes'][:, 2:] <= t['boxes'][:, :2]).any() for t in targets):\n"
        "            raise ValueError('all boxes should have positive width and height')\n"
        "        maps = self.body(pictures)",
    )
    diagnosis = diagnose_code(source, head=HEAD)
    assert diagnosis.ending == "crashed"
    assert diagnosis.findings[0].fault == FAULT
    assert "crash" in [f.fault for f in diagnosis.findings[0].consequences]
