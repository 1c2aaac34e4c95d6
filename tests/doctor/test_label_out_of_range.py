"""Labels of 1 and 2 in a binary loss, and labels that crash the loss, are named at the loss; right and ignored ones are not."""

import pytest
from planted import diagnose_code, found, line_of

FAULT = "label-out-of-range"
PROGRAM = """
x = torch.randn(96, 4)
y = {labels}
net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, {outputs}))
opt = torch.optim.Adam(net.parameters(), lr=1e-2)
for step in range(12):
    opt.zero_grad()
    loss = {loss}
    loss.backward()
    opt.step()
"""
BINARY = "F.binary_cross_entropy_with_logits(net(x).squeeze(1), y)"


@pytest.mark.craft("TD02")
@pytest.mark.parametrize("labels", ["torch.randint(1, 3, (96,)).float()", "torch.randint(0, 2, (96,)).float() * 2 - 1"])
def test_binary_labels_other_than_0_and_1_are_named(labels: str) -> None:
    source = PROGRAM.format(labels=labels, outputs=1, loss=BINARY)
    finding = found(diagnose_code(source), FAULT)
    assert finding is not None
    assert finding.where.line == line_of(source, "loss = F.")
    assert finding.where.layer == "2"


@pytest.mark.craft("TD02")
def test_a_crash_by_a_label_that_is_one_too_high_is_named() -> None:
    source = PROGRAM.format(labels="torch.arange(96) % 4 + 1", outputs=4, loss="F.cross_entropy(net(x), y)")
    diagnosis = diagnose_code(source)
    finding = found(diagnosis, FAULT)
    assert diagnosis.ending == "crashed"
    assert finding is not None
    assert "label 4" in finding.evidence
    assert finding.where.line == line_of(source, "loss = F.")


@pytest.mark.parametrize(
    ("labels", "outputs", "loss"),
    [
        ("torch.randint(0, 2, (96,)).float()", 1, BINARY),
        ("torch.rand(96)", 1, BINARY),  # soft labels
        ("torch.randint(0, 4, (96,))", 4, "F.cross_entropy(net(x), y)"),
        ("torch.where(torch.rand(96) < 0.2, -100, torch.randint(0, 4, (96,)))", 4, "F.cross_entropy(net(x), y)"),
        (
            "torch.where(torch.rand(96) < 0.2, -1, torch.randint(0, 4, (96,)))",
            4,
            "F.cross_entropy(net(x), y, ignore_index=-1)",
        ),
    ],
)
def test_labels_in_range_or_ignored_are_let_be(labels: str, outputs: int, loss: str) -> None:
    assert found(diagnose_code(PROGRAM.format(labels=labels, outputs=outputs, loss=loss)), FAULT) is None
