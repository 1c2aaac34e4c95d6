"""Samples that leak into each other are told, with the layer or the line; what looks at a batch on purpose is not."""

import pytest
from planted import diagnose_code, found, line_of

FIT = """
x, y = torch.randn(96, 6, 8), torch.randint(3, (96,))
x[torch.arange(96), 5, y] += 3
net = Net()
opt = torch.optim.Adam(net.parameters(), lr=1e-2)
for epoch in range(3):
    for i in range(0, 96, 24):
        opt.zero_grad()
        F.cross_entropy(net(x[i:i + 24]), y[i:i + 24]).backward()
        opt.step()
"""
RECURRENT = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.GRU(8, 16{option})
        self.fc = nn.Linear(16, 3)
    def forward(self, x):
        return self.fc(self.rnn(x)[0][:, -1])
"""
RESHAPED = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(8, 16)
        self.norm = nn.LayerNorm(96)
        self.fc = nn.Linear(96, 3)
    def forward(self, x):
        h = torch.relu(self.a(x))
        h = {change}
        h = h.reshape(len(x), -1)
        return self.fc(self.norm(h))
"""


def test_a_recurrent_layer_that_runs_along_the_batch() -> None:
    sick = RECURRENT.format(option="") + FIT
    finding = found(diagnose_code(sick), "batch-mixing")
    assert finding is not None
    assert (finding.where.layer, finding.where.line) == ("rnn", line_of(sick, "self.rnn = "))
    assert "batch_first=True" in finding.remedies[0].change
    assert found(diagnose_code(RECURRENT.format(option=", batch_first=True") + FIT), "batch-mixing") is None


def test_a_reshape_where_a_transpose_was_meant() -> None:
    sick = RESHAPED.format(change="h.reshape(6, -1, 16).transpose(0, 1)") + FIT
    finding = found(diagnose_code(sick), "batch-mixing")
    assert finding is not None
    assert finding.where.line is not None
    assert abs(finding.where.line - line_of(sick, "h.reshape(6")) <= 1
    assert found(diagnose_code(RESHAPED.format(change="h.transpose(1, 2)") + FIT), "batch-mixing") is None


TIME_FIRST = """
x = torch.randint(12, (20, 8))
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(12, 8)
        self.rnn = nn.GRU(8, 16)
        self.fc = nn.Linear(16, 12)
    def forward(self, x):
        return self.fc(self.rnn(self.embed(x))[0])
net = Net()
opt = torch.optim.Adam(net.parameters(), lr=1e-2)
for step in range(6):
    out = net(x[:-1])
    loss = F.cross_entropy(out.flatten(0, 1), x[1:].flatten()) {more}
    opt.zero_grad()
    loss.backward()
    opt.step()
"""
SIMILARITIES = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.f = nn.Linear(8, 16)
    def forward(self, x):
        a = F.normalize(self.f(x[:, 0]), dim=1)
        return a @ a.T * 5
x = torch.randn(64, 6, 8)
net = Net()
opt = torch.optim.Adam(net.parameters(), lr=1e-2)
for step in range(4):
    opt.zero_grad()
    F.cross_entropy(net(x[:16]), torch.arange(16)).backward()
    opt.step()
"""


@pytest.mark.parametrize(
    "program",
    [
        TIME_FIRST.format(more=""),
        TIME_FIRST.format(more="+ 0 * F.mse_loss(out, torch.zeros_like(out))"),
        SIMILARITIES,
        RESHAPED.format(change="h.transpose(0, 1).transpose(0, 1)").replace("nn.LayerNorm", "nn.BatchNorm1d") + FIT,
    ],
)
def test_what_looks_at_a_batch_on_purpose(program: str) -> None:
    assert found(diagnose_code(program), "batch-mixing") is None


def test_a_softmax_over_the_batch() -> None:
    sick = RESHAPED.format(change="h * torch.softmax(h.mean(2), dim=0)[..., None]") + FIT
    finding = found(diagnose_code(sick), "batch-mixing")
    assert finding is not None
    assert finding.where.line == line_of(sick, "torch.softmax")
    assert found(diagnose_code(sick.replace("dim=0", "dim=1")), "batch-mixing") is None
