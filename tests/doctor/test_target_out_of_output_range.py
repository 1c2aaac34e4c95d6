"""Targets that the last activation cannot reach are named with it; those within its range are not."""

import pytest
from planted import diagnose_code, found

FAULT = "target-out-of-output-range"
PROGRAM = """
x = torch.randn(128, 3)
y = {target}
net = nn.Sequential(nn.Linear(3, 16), nn.ReLU(), nn.Linear(16, 1), nn.{last}())
opt = torch.optim.Adam(net.parameters(), lr=1e-2)
for step in range(40):
    opt.zero_grad()
    loss = F.{loss}(net(x), y)
    loss.backward()
    opt.step()
"""


@pytest.mark.craft("TD07")
@pytest.mark.parametrize(
    ("target", "last"), [("x[:, :1]", "ReLU"), ("3 * x[:, :1].abs()", "Sigmoid"), ("2 * x[:, :1]", "Tanh")]
)
def test_an_activation_that_cannot_reach_is_named(target: str, last: str) -> None:
    finding = found(diagnose_code(PROGRAM.format(target=target, last=last, loss="mse_loss")), FAULT)
    assert finding is not None
    assert finding.where.layer == "3"
    assert "% of" in finding.evidence


def test_pixels_over_one_in_a_binary_loss_are_named() -> None:
    source = PROGRAM.format(
        target="(255 * torch.rand(128, 1)).round()", last="Sigmoid", loss="binary_cross_entropy"
    ).replace("loss = F.binary_cross_entropy(net(x), y)", "loss = F.binary_cross_entropy_with_logits(net(x), y)")
    assert found(diagnose_code(source), FAULT) is not None


@pytest.mark.parametrize(
    ("target", "last", "loss"),
    [
        ("x[:, :1]", "Identity", "mse_loss"),
        ("x[:, :1].abs()", "ReLU", "mse_loss"),
        ("torch.sigmoid(x[:, :1])", "Sigmoid", "mse_loss"),
        ("torch.tanh(x[:, :1])", "Tanh", "l1_loss"),
        ("torch.rand(128, 1)", "Sigmoid", "binary_cross_entropy"),
    ],
)
def test_targets_within_reach_are_let_be(target: str, last: str, loss: str) -> None:
    assert found(diagnose_code(PROGRAM.format(target=target, last=last, loss=loss)), FAULT) is None
