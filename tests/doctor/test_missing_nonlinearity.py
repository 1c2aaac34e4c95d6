"""Stacks of layers that are one linear map are told; linear models, waists and attention are not."""

import pytest
from planted import diagnose_code, found, line_of

PROGRAM = """
x, y = torch.randn(64, 3, 8, 8), torch.randint(4, (64,))
{net}
opt = torch.optim.Adam(net.parameters(), lr=1e-2)
for step in range(4):
    opt.zero_grad()
    F.cross_entropy(net(x), y).backward()
    opt.step()
"""
FORWARD = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(192, 32)
        self.b = nn.Linear(32, 32)
        self.c = nn.Linear(32, 4)
    def forward(self, x):
        x = x.flatten(1)
        x = {first}
        x = self.b(x)
        return self.c({last})
net = Net()
"""
ATTENTION = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Linear(24, 16)
        self.attention = nn.MultiheadAttention(16, 2, batch_first=True)
        self.head = nn.Linear(16, 4)
    def forward(self, x):
        x = self.embed(x.flatten(2).transpose(1, 2).reshape(-1, 8, 24))
        return self.head(self.attention(x, x, x)[0].mean(1))
net = Net()
"""


def sequential(*layers: str) -> str:
    return PROGRAM.format(net="net = nn.Sequential(\n    " + ",\n    ".join(layers) + ",\n)")


def test_a_whole_network_without_an_activation() -> None:
    program = sequential("nn.Flatten()", "nn.Linear(192, 32)", "nn.Dropout(0.1)", "nn.Linear(32, 4)")
    finding = found(diagnose_code(program), "missing-nonlinearity")
    assert finding is not None
    assert finding.severity == "critical"
    assert (finding.where.layer, finding.where.line) == ("1", line_of(program, "nn.Linear(192"))


def test_convolutions_with_nothing_but_pooling() -> None:
    program = sequential(
        "nn.Conv2d(3, 8, 3)",
        "nn.MaxPool2d(2)",
        "nn.Conv2d(8, 8, 3)",
        "nn.Flatten()",
        "nn.Linear(8, 16)",
        "nn.Linear(16, 4)",
    )
    assert found(diagnose_code(program), "missing-nonlinearity") is not None


def test_one_activation_left_out() -> None:
    program = PROGRAM.format(net=FORWARD.format(first="self.a(x)", last="F.relu(x)"))
    finding = found(diagnose_code(program), "missing-nonlinearity")
    assert finding is not None
    assert finding.severity == "warning"
    assert (finding.where.layer, finding.where.line) == ("a", line_of(program, "x = self.a(x)"))


@pytest.mark.parametrize(
    "program",
    [
        sequential("nn.Flatten()", "nn.Linear(192, 4)"),  # softmax regression
        sequential("nn.Flatten()", "nn.Linear(192, 2)", "nn.Linear(2, 4)"),  # a waist
        sequential(
            "nn.Conv2d(3, 3, 3, groups=3)", "nn.Conv2d(3, 16, 1)", "nn.ReLU()", "nn.Flatten()", "nn.Linear(576, 4)"
        ),
        PROGRAM.format(net=FORWARD.format(first="F.relu(self.a(x))", last="F.relu(x)")),
        PROGRAM.format(net=FORWARD.format(first="torch.sin(self.a(x))", last="x * x")),
        PROGRAM.format(net=ATTENTION),
    ],
)
def test_what_is_linear_on_purpose_is_let_be(program: str) -> None:
    assert found(diagnose_code(program), "missing-nonlinearity") is None
