"""Gradients beyond all measure are told; clipped ones, and large ones of a training that goes well, are not."""

import pytest
from planted import diagnose_code, found, line_of

NET = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.RNN(1, 24, nonlinearity="relu", batch_first=True)
        self.head = nn.Linear(24, 1)
        nn.init.orthogonal_(self.rnn.weight_hh_l0)
        self.rnn.weight_hh_l0.data.mul_({radius})
    def forward(self, x):
        return self.head(self.rnn(x)[0][:, -1])
x = torch.rand(64, {length}, 1)
y = x.mean(1)
net = Net()
opt = torch.optim.SGD(net.parameters(), lr=0.01)
for step in range(30):
    opt.zero_grad()
    loss = F.mse_loss(net(x), y)
    loss.backward()
    {clip}
    opt.step()
"""


@pytest.mark.craft("TD08")
@pytest.mark.parametrize(("radius", "length"), [(2.5, 40), (2.0, 50)])
def test_a_recurrent_matrix_with_a_large_radius(radius: float, length: int) -> None:
    sick = NET.format(radius=radius, length=length, clip="pass")
    diagnosis = diagnose_code(sick)
    finding = found(diagnosis, "exploding-gradient")
    assert finding is not None
    assert diagnosis.findings[0].fault in ("exploding-gradient", "init-too-large")
    assert finding.where.layer == "rnn"
    assert finding.where.line is not None
    assert abs(finding.where.line - line_of(sick, "orthogonal_")) <= 1


@pytest.mark.craft("TD08")
@pytest.mark.parametrize(
    "healthy",
    [
        NET.format(radius=0.9, length=30, clip="pass"),
        NET.format(radius=1.2, length=20, clip="nn.utils.clip_grad_norm_(net.parameters(), 1.0)"),
    ],
)
def test_gradients_within_bounds(healthy: str) -> None:
    assert found(diagnose_code(healthy), "exploding-gradient") is None


def test_a_cell_called_step_by_step() -> None:
    sick = NET.format(radius=1.0, length=30, clip="pass").replace(
        'nn.RNN(1, 24, nonlinearity="relu", batch_first=True)', "nn.Linear(25, 24)"
    )
    sick = sick.replace(
        "        nn.init.orthogonal_(self.rnn.weight_hh_l0)\n        self.rnn.weight_hh_l0.data.mul_(1.0)\n",
        "        self.rnn.weight.data *= 8\n",
    )
    sick = sick.replace(
        "        return self.head(self.rnn(x)[0][:, -1])\n",
        "        h = torch.zeros(len(x), 24)\n        for t in range(x.shape[1]):\n"
        "            h = torch.relu(self.rnn(torch.cat([x[:, t], h], 1)))\n        return self.head(h)\n",
    )
    finding = found(diagnose_code(sick), "exploding-gradient")
    assert finding is not None
    assert finding.where.layer == "rnn"
    assert finding.where.line == line_of(sick, "weight.data *= 8")
