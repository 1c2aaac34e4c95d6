"""Outputs that no label ever reaches, and outputs that do not fit their targets, are told; rare classes and words are not."""

import pytest
from planted import diagnose_code, found, line_of

CLASSES = """
x, y = torch.randn(256, 8), torch.randint({seen}, (256,))
net = nn.Sequential(
    nn.Linear(8, 16),
    nn.ReLU(),
    nn.Linear(16, {outputs}),
)
opt = torch.optim.Adam(net.parameters(), lr=1e-2)
for step in range(10):
    opt.zero_grad()
    loss = F.cross_entropy(net(x), y)
    loss.backward()
    opt.step()
"""

NUMBERS = """
x, y = torch.randn(64, 8), torch.randn(64, {wanted})
net = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, {outputs}))
opt = torch.optim.Adam(net.parameters(), lr=1e-2)
for step in range(10):
    opt.zero_grad()
    loss = F.mse_loss(net(x), y)
    loss.backward()
    opt.step()
"""

WORDS = """
x = torch.randint(5, (256, 6))
net = nn.Sequential(nn.Embedding(50, 8), nn.Flatten(), nn.Linear(48, 50))
opt = torch.optim.Adam(net.parameters(), lr=1e-2)
for step in range(10):
    opt.zero_grad()
    F.cross_entropy(net(x), x[:, 0]).backward()
    opt.step()
"""


def test_ten_outputs_for_three_classes() -> None:
    program = CLASSES.format(seen=3, outputs=10)
    finding = found(diagnose_code(program), "wrong-output-size")
    assert finding is not None
    assert "7 of the 10" in finding.evidence
    assert (finding.where.layer, finding.where.line) == ("2", line_of(program, "nn.Linear(16, 10)"))


@pytest.mark.filterwarnings("ignore:Using a target size")
def test_a_regression_whose_output_is_repeated() -> None:
    finding = found(diagnose_code(NUMBERS.format(wanted=1, outputs=3)), "wrong-output-size")
    assert finding is not None
    assert finding.severity == "critical"


def test_a_label_that_the_loss_refused() -> None:
    finding = found(diagnose_code(CLASSES.format(seen=6, outputs=3)), "wrong-output-size")
    assert finding is not None
    assert "the last layer has 3 units" in finding.evidence


@pytest.mark.parametrize(
    "program",
    [
        CLASSES.format(seen=3, outputs=3),
        CLASSES.format(seen=10, outputs=11),  # one to spare
        NUMBERS.format(wanted=3, outputs=3),
        WORDS,
    ],
)
def test_fitting_widths_are_let_be(program: str) -> None:
    assert found(diagnose_code(program), "wrong-output-size") is None
