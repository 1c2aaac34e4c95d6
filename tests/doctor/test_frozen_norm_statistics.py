"""Running statistics that stand still are told; those of a network with loaded weights are not."""

import pytest
from planted import diagnose_code, found, line_of

PROGRAM = """
x, y = 3 + torch.randn(64, 8), torch.randint(4, (64,))
net = nn.Sequential(
    nn.Linear(8, 16),
    nn.BatchNorm1d(16{options}),
    nn.ReLU(),
    nn.Linear(16, 4),
)
{before}
opt = torch.optim.SGD(net.parameters(), lr=0.1)
for step in range(12):
    net.train()
    {mode}
    opt.zero_grad()
    F.cross_entropy(net(x), y).backward()
    opt.step()
"""


def program(options: str = "", before: str = "", mode: str = "") -> str:
    return PROGRAM.format(options=options, before=before, mode=mode)


def test_momentum_zero() -> None:
    sick = program(", momentum=0.0")
    finding = found(diagnose_code(sick), "frozen-norm-statistics")
    assert finding is not None
    assert finding.severity == "critical"
    assert (finding.where.layer, finding.where.line) == ("1", line_of(sick, "BatchNorm1d"))


def test_momentum_of_another_library() -> None:
    finding = found(diagnose_code(program(", momentum=0.001")), "frozen-norm-statistics")
    assert finding is not None
    assert "99%" in finding.evidence


def test_fresh_norms_in_evaluation_mode() -> None:
    sick = program(mode="net[1].eval()  # norm")
    finding = found(diagnose_code(sick), "frozen-norm-statistics")
    assert finding is not None
    assert (finding.where.layer, finding.where.line) == ("1", line_of(sick, "net[1].eval()"))


@pytest.mark.parametrize(
    "healthy",
    [
        program(),
        program(", momentum=None"),
        program(", track_running_stats=False"),
        program(before="net.load_state_dict({k: v + 0.5 for k, v in net.state_dict().items()})", mode="net[1].eval()"),
        program(mode="if step > 6: net[1].eval()"),
    ],
)
def test_moving_or_borrowed_statistics_are_let_be(healthy: str) -> None:
    assert found(diagnose_code(healthy), "frozen-norm-statistics") is None
