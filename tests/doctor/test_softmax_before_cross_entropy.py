"""A softmax before cross entropy is named at its line; log_softmax and bare scores are not."""

import pytest
from planted import diagnose_code, found, line_of

PROGRAM = """
x, y = torch.randn(64, 8), torch.randint(4, (64,))
net = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4){extra})
opt = torch.optim.Adam(net.parameters(), lr=1e-2)
for step in range(20):
    opt.zero_grad()
    loss = {loss}
    loss.backward()
    opt.step()
"""


@pytest.mark.craft("TD07")
def test_softmax_twice_is_named_with_its_layer() -> None:
    program = PROGRAM.format(extra=", nn.Softmax(dim=1)", loss="F.cross_entropy(net(x), y)")
    finding = found(diagnose_code(program), "softmax-before-cross-entropy")
    assert finding is not None
    assert finding.severity == "critical"
    assert finding.where.layer == "3"
    assert "1.744" not in finding.evidence
    assert "0.744" in finding.evidence  # ln(1 + 3/e)


def test_a_functional_softmax_is_found_at_its_line() -> None:
    program = PROGRAM.format(extra="", loss="F.cross_entropy(torch.softmax(net(x), 1), y)")
    finding = found(diagnose_code(program), "softmax-before-cross-entropy")
    assert finding is not None
    assert finding.where.line == line_of(program, "torch.softmax")


def test_sigmoid_before_a_loss_with_logits_is_found() -> None:
    program = PROGRAM.format(
        extra=", nn.Sigmoid()", loss="F.binary_cross_entropy_with_logits(net(x), F.one_hot(y, 4).float())"
    )
    assert found(diagnose_code(program), "softmax-before-cross-entropy") is not None


@pytest.mark.parametrize(
    ("extra", "loss"),
    [
        ("", "F.cross_entropy(net(x), y)"),
        (", nn.LogSoftmax(dim=1)", "F.cross_entropy(net(x), y)"),  # idle, but harmless
        (", nn.LogSoftmax(dim=1)", "F.nll_loss(net(x), y)"),
        (", nn.Sigmoid()", "F.binary_cross_entropy(net(x), F.one_hot(y, 4).float())"),
    ],
)
def test_what_belongs_together_is_let_be(extra: str, loss: str) -> None:
    assert found(diagnose_code(PROGRAM.format(extra=extra, loss=loss)), "softmax-before-cross-entropy") is None
