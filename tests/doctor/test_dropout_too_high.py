"""Rates that leave hardly anything are told; the textbooks' rates are not."""

import pytest
from planted import diagnose_code, found, line_of

PROGRAM = """
x = torch.randn(64, 8)
y = (x[:, 0] > 0).long()
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(8, 64)
        self.drop = nn.Dropout({rate})
        self.b = nn.Linear(64, 2)
    def forward(self, x):
        return self.b({last})
net = Net()
opt = torch.optim.Adam(net.parameters(), lr=1e-2)
for step in range(40):
    opt.zero_grad()
    F.cross_entropy(net(x), y).backward()
    opt.step()
"""


def test_a_rate_to_keep_given_as_a_rate_to_drop() -> None:
    program = PROGRAM.format(rate=0.9, last="self.drop(F.relu(self.a(x)))")
    finding = found(diagnose_code(program), "dropout-too-high")
    assert finding is not None
    assert "6.4 of 64 units" in finding.evidence
    assert (finding.where.layer, finding.where.line) == ("drop", line_of(program, "nn.Dropout"))


def test_a_functions_rate() -> None:
    program = PROGRAM.format(rate=0, last="F.dropout(F.relu(self.a(x)), 0.95, self.training)")
    finding = found(diagnose_code(program), "dropout-too-high")
    assert finding is not None
    assert finding.where.line == line_of(program, "F.dropout")


@pytest.mark.parametrize("rate", [0.2, 0.5, 0.65])
def test_rates_with_which_it_learns_are_let_be(rate: float) -> None:
    program = PROGRAM.format(rate=rate, last="self.drop(F.relu(self.a(x)))")
    assert found(diagnose_code(program), "dropout-too-high") is None
