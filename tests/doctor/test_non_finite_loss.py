"""What makes the first value that is no number is told at its line; guarded operations, and losses that stay finite, are not."""

import pytest
from planted import diagnose_code, found, line_of

NET = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 3))
    def forward(self, x):
        return self.body(x)
x = torch.randn(64, 6)
x[0] = 0
y = torch.randint(3, (64,))
z = torch.randn(64, 3)
z[3] = 0
net = Net()
opt = torch.optim.Adam(net.parameters(), lr=1e-2)
for step in range(12):
    out = net(x)
    {loss}
    opt.zero_grad()
    loss.backward()
    opt.step()
"""


@pytest.mark.craft("TD08")
@pytest.mark.parametrize(
    ("loss", "text"),
    [
        (
            "same = ((out - out[torch.arange(64)]) ** 2).sum(1)\n    loss = torch.sqrt(same).mean() + F.cross_entropy(out, y)",
            "torch.sqrt",
        ),
        ("p = torch.softmax(out * 200, 1)\n    loss = -torch.log(p[torch.arange(64), y]).mean()", "torch.log("),
        ("size = z.abs().sum(1)\n    loss = (out.sum(1) / size).pow(2).mean()", "/ size"),
        ("loss = (((out - out) ** 2).sum(1) ** 0.5).mean() + F.cross_entropy(out, y)", "** 0.5).mean()"),
        (
            "e = torch.exp(out * 1000)\n    loss = (e / e.sum(1, keepdim=True))[torch.arange(64), y].mean()",
            "torch.exp(",
        ),
    ],
)
def test_an_operation_at_its_edge(loss: str, text: str) -> None:
    sick = NET.format(loss=loss)
    diagnosis = diagnose_code(sick)
    finding = found(diagnosis, "non-finite-loss")
    assert finding is not None
    assert finding.severity == "critical"
    assert finding.where.line is not None
    assert abs(finding.where.line - line_of(sick, text)) <= 1
    assert diagnosis.findings[0].fault == "non-finite-loss"


def test_a_layer_and_a_loss_that_give_no_number() -> None:
    masked = NET.format(loss="loss = F.cross_entropy(out, y)").replace(
        "return self.body(x)",
        "out = self.body(x)\n        return torch.softmax(out.masked_fill(torch.ones_like(out).bool(), float('-inf')), 1)",
    )
    finding = found(diagnose_code(masked), "non-finite-loss")
    assert finding is not None
    assert finding.where.line == line_of(masked, "torch.softmax")
    ignored = NET.format(loss="loss = F.cross_entropy(out, torch.full_like(y, -100))")
    finding = found(diagnose_code(ignored), "non-finite-loss")
    assert finding is not None
    assert finding.where.line == line_of(ignored, "F.cross_entropy")


@pytest.mark.craft("TD08")
@pytest.mark.parametrize(
    "loss",
    [
        "loss = torch.sqrt(((out - z) ** 2).sum(1) + 1e-8).mean()",
        "loss = -torch.log(torch.softmax(out, 1)[torch.arange(64), y].clamp(min=1e-7)).mean()",
        "loss = F.cross_entropy(out, y) + 0.01 * sum(p.norm() for p in net.parameters())",
        "loss = F.cross_entropy(out, y) if step != 5 else (out / 0 * 0).mean()\n    if not torch.isfinite(loss): continue",
    ],
)
def test_losses_that_stay_finite(loss: str) -> None:
    assert found(diagnose_code(NET.format(loss=loss)), "non-finite-loss") is None
