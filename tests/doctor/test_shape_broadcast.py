"""Outputs and targets that make a table of all pairs are told at their line; pairs that are meant are not."""

import pytest
from planted import diagnose_code, found, line_of

FIT = """
import warnings
warnings.simplefilter("ignore")
x = torch.randn(64, 6)
y = x[:, 0] * 2
net = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 1))
opt = torch.optim.Adam(net.parameters(), lr=1e-2)
for step in range(6):
    opt.zero_grad()
    out = net(x)
    {loss}
    loss.backward()
    opt.step()
"""


@pytest.mark.parametrize(
    "loss",
    [
        "loss = F.mse_loss(out, y)",
        "loss = F.l1_loss(out.squeeze(1), y.unsqueeze(1))",
        "loss = F.smooth_l1_loss(out, y[None])",
        "loss = ((out - y) ** 2).mean()",
        "loss = (y - out).abs().mean()",
        "loss = (out * y).mean()",
    ],
)
def test_all_outputs_against_all_targets(loss: str) -> None:
    sick = FIT.format(loss=loss)
    finding = found(diagnose_code(sick), "shape-broadcast")
    assert finding is not None
    assert finding.severity == "critical"
    assert finding.where.line == line_of(sick, "    loss = ")
    assert "(64,)" in finding.evidence or "(1, 64)" in finding.evidence


@pytest.mark.parametrize(
    "loss",
    [
        "loss = F.mse_loss(out.squeeze(1), y)",
        "loss = ((out - y.unsqueeze(1)) ** 2).mean()",
        "loss = F.softplus(out.T - out).mean()",  # all pairs of outputs: a ranking
        "loss = F.softplus(out.squeeze(1) - out).mean() + 0 * (y[:, None] - y).abs().mean()",
        "same = (y.unsqueeze(1) == y)\n    loss = (torch.cdist(out, out) * same).mean()",  # who is of one kind
        "loss = (out * torch.tensor([1.0, 2.0])).mean()",
    ],
)
def test_shapes_that_agree_and_pairs_that_are_meant(loss: str) -> None:
    assert found(diagnose_code(FIT.format(loss=loss)), "shape-broadcast") is None


def test_answers_compared_with_all_labels() -> None:
    sick = FIT.format(loss="loss = F.binary_cross_entropy_with_logits(out.squeeze(1), (y > 0).float())")
    sick += "with torch.no_grad():\n    right = ((net(x) > 0) == (y > 0)).float().mean()\nprint(right.item())\n"
    finding = found(diagnose_code(sick), "shape-broadcast")
    assert finding is not None
    assert finding.where.line == line_of(sick, "right = ")


def test_a_kernel_between_two_sets() -> None:
    program = FIT.format(loss="loss = -torch.exp(-((out - y[None]) ** 2)).mean()")
    assert found(diagnose_code(program), "shape-broadcast") is None
