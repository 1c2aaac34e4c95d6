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


# One head for the four levels of a pyramid: the gradient at a fine level is thousands of times that at a coarse one.
LEVELS = """
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.head = nn.Conv2d(4, 2, 3, padding=1)
        def forward(self, levels):
            return [self.head(level) for level in levels]
    net = Net()
    opt = torch.optim.SGD(net.parameters(), lr=1e-7)
    for step in range(8):
        levels = [torch.randn(4, 4, {side}, {side}) for k in range(4)]
        opt.zero_grad()
        loss = sum(weight * (answer - 1).square().sum() for weight, answer in zip((3, 0.3, 0.03, 0.01), net(levels)))
        loss.backward()
        opt.step()
"""


@pytest.mark.parametrize("side", ["16 // 2**k", "8"], ids=["levels", "views of one size"])
def test_a_head_shared_by_levels_or_views_is_no_recurrence(side: str) -> None:
    assert found(diagnose_code(LEVELS.format(side=side)), "exploding-gradient") is None


def test_the_same_head_read_again_and_again_is_one() -> None:
    sick = LEVELS.format(side="8").replace("nn.Conv2d(4, 2, 3, padding=1)", "nn.Conv2d(4, 4, 3, padding=1, bias=False)")
    sick = sick.replace(
        "            return [self.head(level) for level in levels]\n",
        "            x = levels[0]\n"
        "            for _ in range(8):\n                x = torch.relu(self.head(4 * x))\n            return [x]\n",
    )
    finding = found(diagnose_code(sick), "exploding-gradient")
    assert finding is not None
    assert finding.where.layer == "head"


# The sum over places of a map, for a picture on average: its gradient is that of a thousand terms.
PLACES = """
    x = torch.randn(64, 3, 16, 16)
    y = 3 * x.mean(1, keepdim=True) + 2
    net = nn.Sequential(nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 1, 3, padding=1))
    {start}
    opt = torch.optim.Adam(net.parameters(), lr=1e-3)
    for step in range(8):
        opt.zero_grad()
        loss = (net(x) - y).square().sum() / 64
        loss.backward()
        opt.step()
"""


@pytest.mark.parametrize(("start", "told"), [("pass", False), ("[p.data.mul_(30) for p in net.parameters()]", True)])
def test_a_sum_over_places_of_a_picture_is_measured_by_its_terms(start: str, told: bool) -> None:
    diagnosis = diagnose_code(PLACES.format(start=start))
    if told:
        assert diagnosis.sick
    else:
        assert found(diagnosis, "exploding-gradient") is None
