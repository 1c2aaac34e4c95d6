"""Dropout that a batch norm reads is told; after it, or with a layer between, it is not."""

import pytest
from planted import diagnose_code, found, line_of

PROGRAM = """
x, y = torch.randn(64, 8), torch.randint(4, (64,))
net = nn.Sequential(
    nn.Linear(8, 32),
    {middle},
    nn.Linear(32, 4),
)
opt = torch.optim.SGD(net.parameters(), lr=0.1)
for step in range(4):
    opt.zero_grad()
    F.cross_entropy(net(x), y).backward()
    opt.step()
"""


def program(*middle: str) -> str:
    return PROGRAM.format(middle=",\n    ".join(middle))


@pytest.mark.parametrize(
    "middle",
    [("nn.ReLU()", "nn.Dropout(0.5)", "nn.BatchNorm1d(32)"), ("nn.Dropout(0.4)", "nn.ReLU()", "nn.BatchNorm1d(32)")],
)
def test_the_wrong_order(middle: tuple[str, ...]) -> None:
    sick = program(*middle)
    finding = found(diagnose_code(sick), "dropout-before-batchnorm")
    assert finding is not None
    assert finding.where.line == line_of(sick, "nn.Dropout")
    assert finding.where.layer == str(1 + next(k for k, part in enumerate(middle) if "Dropout" in part))


@pytest.mark.parametrize(
    "middle",
    [
        ("nn.BatchNorm1d(32)", "nn.ReLU()", "nn.Dropout(0.5)"),
        ("nn.Dropout(0.5)", "nn.LayerNorm(32)", "nn.ReLU()"),
        ("nn.ReLU()", "nn.Dropout(0.5)", "nn.Linear(32, 32)", "nn.BatchNorm1d(32)", "nn.ReLU()"),
        ("nn.Dropout(0.05)", "nn.BatchNorm1d(32)", "nn.ReLU()"),
    ],
)
def test_other_orders_are_let_be(middle: tuple[str, ...]) -> None:
    assert found(diagnose_code(program(*middle)), "dropout-before-batchnorm") is None
