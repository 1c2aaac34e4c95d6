"""Gradients that are gone over layers or over time are told; shallow and gated networks, and those that learn, are not."""

import pytest
from planted import diagnose_code, found, line_of

DEEP = """
x = torch.randn(128, 10)
y = (x[:, :3]).argmax(1)
layers = []
for k in range({depth}):
    layers += [nn.Linear(10 if k == 0 else 24, 24), {act}]
net = nn.Sequential(*layers, nn.Linear(24, 3))
opt = torch.optim.{opt}
for step in range({steps}):
    opt.zero_grad()
    F.cross_entropy(net(x), y).backward()
    opt.step()
"""


@pytest.mark.craft("TD08")
def test_seven_sigmoids_in_a_row() -> None:
    sick = DEEP.format(depth=7, act="nn.Sigmoid()", opt="SGD(net.parameters(), lr=0.1)", steps=25)
    finding = found(diagnose_code(sick), "vanishing-gradient")
    assert finding is not None
    assert finding.where.line == line_of(sick, "nn.Sigmoid()")
    assert finding.where.layer == "0"
    assert "sigmoid" in finding.evidence


@pytest.mark.craft("TD08")
@pytest.mark.parametrize(
    "healthy",
    [
        DEEP.format(depth=7, act="nn.ReLU()", opt="Adam(net.parameters(), lr=3e-3)", steps=60),
        DEEP.format(depth=2, act="nn.Sigmoid()", opt="Adam(net.parameters(), lr=3e-2)", steps=40),
    ],
)
def test_networks_whose_first_layers_learn(healthy: str) -> None:
    assert found(diagnose_code(healthy), "vanishing-gradient") is None


CELL = """
class Cell(nn.Module):
    def __init__(self):
        super().__init__()
        self.w, self.u = nn.Linear(3, 16), nn.Linear(16, 16)
    def forward(self, x, h):
        return torch.{act}(self.w(x) + self.u(h))
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.cell = Cell()
        nn.init.orthogonal_(self.cell.u.weight)
        self.fc = nn.Linear(16, 3)
    def forward(self, x):
        h = torch.zeros(len(x), 16)
        for t in range(x.shape[1]):
            h = self.cell(x[:, t], h)
        return self.fc(h)
y = torch.randint(3, (96,))
x = 0.1 * torch.randn(96, 24, 3)
x[torch.arange(96), 0, y] += 2
net = Net()
opt = torch.optim.Adam(net.parameters(), lr=1e-2)
for step in range({steps}):
    opt.zero_grad()
    F.cross_entropy(net(x), y).backward()
    opt.step()
"""


def test_a_cell_that_forgets_what_came_first() -> None:
    sick = CELL.format(act="sigmoid", steps=12)
    finding = found(diagnose_code(sick), "vanishing-gradient")
    assert finding is not None
    assert (finding.where.layer, finding.where.line) == ("cell", line_of(sick, "torch.sigmoid"))
    assert found(diagnose_code(CELL.format(act="tanh", steps=30)), "vanishing-gradient") is None


LAYER = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.{kind}(3, 16, batch_first=True)
        self.fc = nn.Linear(16, 3)
    def forward(self, x):
        return self.fc(self.rnn(x)[0][:, {read}])
y = torch.randint(3, (96,))
x = 0.1 * torch.randn(96, 40, 3)
x[torch.arange(96), 0, y] += 2
net = Net()
opt = torch.optim.SGD(net.parameters(), lr=0.05)
for step in range(10):
    opt.zero_grad()
    F.cross_entropy(net(x), y).backward()
    opt.step()
"""


def test_a_recurrent_layer_by_a_trial() -> None:
    sick = LAYER.format(kind="RNN", read="-1")
    finding = found(diagnose_code(sick), "vanishing-gradient")
    assert finding is not None
    assert (finding.where.layer, finding.where.line) == ("rnn", line_of(sick, "nn.RNN"))
    assert found(diagnose_code(LAYER.format(kind="RNN", read=":].mean(1)[:")), "vanishing-gradient") is None
