"""Convolutions over a single place are told; maps that end at one place, and 1x1 convolutions, are not."""

import pytest
from planted import diagnose_code, found, line_of

PROGRAM = """
x, y = torch.randn(16, 1, {side}, {side}), torch.randint(4, (16,))
net = nn.Sequential(
    nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(4),
    nn.Conv2d(8, 8, 3, padding=1), nn.ReLU(),
    {middle},
    nn.Flatten(),
    nn.LazyLinear(4),
)
net(x)
opt = torch.optim.SGD(net.parameters(), lr=0.01)
for step in range(4):
    opt.zero_grad()
    F.cross_entropy(net(x), y).backward()
    opt.step()
"""


def program(*middle: str, side: int = 16) -> str:
    return PROGRAM.format(middle=",\n    ".join(middle), side=side)


def test_convolutions_behind_a_pooling_to_one_place() -> None:
    sick = program(
        "nn.MaxPool2d((4, 4))", "nn.Conv2d(8, 8, 3, padding=1)", "nn.ReLU()", "nn.Conv2d(8, 8, 3, padding=1)"
    )
    finding = found(diagnose_code(sick), "spatial-collapse")
    assert finding is not None
    assert "2 of 4 convolutions" in finding.evidence
    assert "8 of the 9" in finding.evidence
    assert (finding.where.layer, finding.where.line) == ("6", line_of(sick, "nn.MaxPool2d((4, 4))"))


def test_a_pooling_without_room() -> None:
    finding = found(diagnose_code(program("nn.MaxPool2d(4)", "nn.MaxPool2d(2)")), "spatial-collapse")
    assert finding is not None
    assert "smaller than the window" in finding.evidence


@pytest.mark.parametrize(
    "healthy",
    [
        program("nn.Conv2d(8, 8, 4)"),  # ends at one place
        program("nn.AdaptiveAvgPool2d(1)", "nn.Conv2d(8, 16, 1)", "nn.ReLU()"),
        program("nn.Conv2d(8, 8, 3, padding=1)", side=4),
    ],
)
def test_maps_with_places_are_let_be(healthy: str) -> None:
    assert found(diagnose_code(healthy), "spatial-collapse") is None
