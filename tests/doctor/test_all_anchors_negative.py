"""A detector all of whose anchors are background is told; some positives, or losses that are split in two, are not."""

import pytest
from detection_programs import HEAD, anchored, program
from planted import diagnose_code, found, line_of

FAULT = "all-anchors-negative"

FITTING = [(10, 10), (16, 12), (12, 16), (18, 18)]
SPLIT = """
net = nn.Sequential(nn.Conv2d(1, 16, 3, 2, 1), nn.ReLU(), nn.Conv2d(16, 16, 3, 2, 1), nn.ReLU(), nn.Conv2d(16, 1, 3, 2, 1))
optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)
for epoch in range(2):
    for pictures, targets in train:
        said, here = net(pictures)[:, 0], torch.zeros(len(pictures), 8, 8, dtype=torch.bool)
        for k, target in enumerate(targets):
            middle = ((target["boxes"][:, :2] + target["boxes"][:, 2:]) / 16).long().clamp(0, 7)
            here[k, middle[:, 1], middle[:, 0]] = True
        empty = F.binary_cross_entropy_with_logits(said[~here], torch.zeros_like(said[~here]))
        loss = 0.5 * empty + {full}
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
"""


def test_a_threshold_that_no_anchor_reaches_is_told_at_the_loss() -> None:
    source = anchored(FITTING, positive=0.999)
    finding = found(diagnose_code(source, head=HEAD), FAULT)
    assert finding is not None
    assert finding.where.line == line_of(source, '"what": F.cross_entropy', head=HEAD)
    assert "92 objects" in finding.evidence


def test_some_positives_are_enough() -> None:
    assert found(diagnose_code(anchored(FITTING), head=HEAD), FAULT) is None


@pytest.mark.parametrize(
    "full",
    [
        "F.binary_cross_entropy_with_logits(said[here], torch.ones_like(said[here]))",
        "(1 - said[here].sigmoid()).mean()",
    ],
)
def test_cells_without_objects_in_a_loss_of_their_own_are_let_be(full: str) -> None:
    assert found(diagnose_code(program(detector="", loop=SPLIT.format(full=full)), head=HEAD), FAULT) is None
