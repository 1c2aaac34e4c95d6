"""A layer that is made anew in every step is told at its line; one that is made once, or has no weights to learn, is not."""

import pytest
from planted import diagnose_code, found, line_of

NET = """
class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(8, 8)
    def forward(self, x):
        return torch.relu(self.inner(x))
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(6, 8)
        self.last = nn.Linear(8, 3)
        self.middle = None
    def forward(self, x):
        x = torch.relu(self.first(x))
        {made}
        return self.last(x)
x, y = torch.randn(64, 6), torch.randint(3, (64,))
net = Net()
net.middle = None
opt = torch.optim.Adam(net.parameters(), lr=1e-2)
for step in range(6):
    opt.zero_grad()
    F.cross_entropy(net(x), y).backward()
    opt.step()
"""


@pytest.mark.parametrize(
    ("made", "text"),
    [
        ("x = torch.relu(nn.Linear(8, 8)(x))", "nn.Linear(8, 8)(x)"),
        ("self.middle = nn.Linear(8, 8)\n        x = torch.relu(self.middle(x))", "self.middle = nn.Linear"),
        ("x = Block()(x)", "x = Block()"),
        (
            "conv = nn.Linear(8, 8, bias=False)\n        conv.weight = nn.Parameter(torch.randn(8, 8))\n        x = conv(x)",
            "conv = nn.Linear",
        ),
    ],
)
def test_a_layer_anew_in_every_step(made: str, text: str) -> None:
    sick = NET.format(made=made)
    finding = found(diagnose_code(sick), "layer-created-in-forward")
    assert finding is not None
    assert finding.severity == "critical"
    assert finding.where.line is not None
    assert abs(finding.where.line - line_of(sick, text)) <= 1


@pytest.mark.parametrize(
    "made",
    [
        "x = nn.ReLU()(nn.functional.layer_norm(x, (8,)))",
        "f = nn.Linear(8, 8, bias=False)\n        f.weight = nn.Parameter(torch.eye(8), requires_grad=False)\n        x = f(x)",
        "x = self.last.weight.mean(0) + x",
    ],
)
def test_what_has_nothing_to_learn(made: str) -> None:
    assert found(diagnose_code(NET.format(made=made)), "layer-created-in-forward") is None


def test_a_lazy_layer_makes_its_weights_once() -> None:
    program = NET.format(made="x = self.lazy(x)").replace(
        "        self.middle = None\n", "        self.lazy = nn.LazyLinear(8)\n"
    )
    program = program.replace("net = Net()\n", "net = Net()\nnet(x)\n")
    assert found(diagnose_code(program), "layer-created-in-forward") is None
