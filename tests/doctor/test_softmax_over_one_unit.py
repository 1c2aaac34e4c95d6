"""A softmax of one number is told; of two, and a sigmoid of one, are not."""

import pytest
from planted import diagnose_code, found, line_of

PROGRAM = """
x, y = torch.randn(64, 8), torch.randint(2, (64, 1)).float()
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(8, 16)
        self.out = nn.Linear(16, {units})
        self.last = {last}
    def forward(self, x):
        x = F.relu(self.hidden(x))
        x = self.out(x)
        return self.last(x)
net = Net()
opt = torch.optim.SGD(net.parameters(), lr=0.1)
for step in range(8):
    opt.zero_grad()
    loss = {loss}
    loss.backward()
    opt.step()
"""
BINARY, CLASSES = "F.binary_cross_entropy(net(x), y)", "F.nll_loss(net(x), y.long().squeeze(1))"


@pytest.mark.craft("TD07")
def test_a_softmax_module_over_one_unit() -> None:
    program = PROGRAM.format(units=1, last="nn.Softmax(dim=1)", loss=BINARY)
    finding = found(diagnose_code(program), "softmax-over-one-unit")
    assert finding is not None
    assert finding.severity == "critical"
    assert (finding.where.layer, finding.where.line) == ("last", line_of(program, "nn.Softmax"))


def test_a_log_softmax_called_as_a_function_is_found_at_its_line() -> None:
    program = PROGRAM.format(units=1, last="None", loss=BINARY).replace("self.last(x)", "F.log_softmax(x, dim=1)")
    finding = found(diagnose_code(program), "softmax-over-one-unit")
    assert finding is not None
    assert (finding.where.layer, finding.where.line) == ("out", line_of(program, "F.log_softmax"))


@pytest.mark.parametrize(
    ("units", "last", "loss"),
    [(1, "nn.Sigmoid()", BINARY), (2, "nn.LogSoftmax(dim=1)", CLASSES)],
)
def test_what_can_vary_is_let_be(units: int, last: str, loss: str) -> None:
    program = PROGRAM.format(units=units, last=last, loss=loss)
    assert found(diagnose_code(program), "softmax-over-one-unit") is None
