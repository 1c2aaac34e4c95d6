"""Dropout of the answers is told; dropout before the last layer is not."""

import pytest
from planted import diagnose_code, found, line_of

PROGRAM = """
x, y = torch.randn(64, 8), torch.randint(4, (64,))
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(8, 16)
        self.b = nn.Linear(16, 4)
        self.drop = nn.Dropout({rate})
    def forward(self, x):
        x = F.relu(self.a(x))
        return {last}
net = Net()
opt = torch.optim.SGD(net.parameters(), lr=0.1)
for step in range(4):
    opt.zero_grad()
    loss = {loss}
    loss.backward()
    opt.step()
"""
ENTROPY = "F.cross_entropy(net(x), y)"


def test_a_dropout_module_after_the_last_layer() -> None:
    program = PROGRAM.format(rate=0.4, last="self.drop(self.b(x))", loss=ENTROPY)
    finding = found(diagnose_code(program), "dropout-on-output")
    assert finding is not None
    assert "40%" in finding.evidence
    assert (finding.where.layer, finding.where.line) == ("drop", line_of(program, "nn.Dropout"))


def test_a_dropout_function_before_the_losss_softmax() -> None:
    program = PROGRAM.format(
        rate=0.4, last="F.log_softmax(F.dropout(self.b(x), 0.3, self.training), 1)", loss="F.nll_loss(net(x), y)"
    )
    finding = found(diagnose_code(program), "dropout-on-output")
    assert finding is not None
    assert finding.where.line == line_of(program, "F.dropout")


@pytest.mark.parametrize(
    ("rate", "last"), [(0.4, "self.b(self.drop(x))"), (0.0, "self.drop(self.b(x))"), (0.4, "self.b(x) * 2")]
)
def test_whole_answers_are_let_be(rate: float, last: str) -> None:
    assert found(diagnose_code(PROGRAM.format(rate=rate, last=last, loss=ENTROPY)), "dropout-on-output") is None
