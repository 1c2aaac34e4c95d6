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


# A small feature pyramid in the manner of Lin et al. 2017, with a head of its own for each level, or one for all.
PYRAMID = """
class Pyramid(nn.Module):
    def __init__(self):
        super().__init__()
        self.fine, self.coarse = nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.Conv2d(8, 16, 3, stride=2, padding=1)
        self.lateral = nn.ModuleList([nn.Conv2d(8, 8, 1), nn.Conv2d(16, 8, 1)])
        self.smooth = nn.ModuleList([nn.Conv2d(8, 8, 3, padding=1) for _ in range(2)])
        self.stems = nn.ModuleList([nn.Conv2d(8, 8, 3, padding=1) for _ in range(2)])
        self.first, self.second = nn.Conv2d(8, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1)
        self.head = nn.Linear(8, 4)
    def forward(self, x):
        fine = F.relu(self.fine(x))
        coarse = F.relu(self.coarse(fine))
        top = self.lateral[1](coarse)
        sides = [self.lateral[0](fine) + F.interpolate(top, scale_factor=2.0, mode="nearest"), top]
        levels = [smooth(side) for smooth, side in zip(self.smooth, sides)]
        maps = [F.relu({stem}(level)) for k, level in enumerate(levels)]
        maps = [{more} for m in maps]
        return sum(self.head(m.mean((2, 3))) for m in maps)
net = Pyramid()
"""
# A head for all levels; one of them was made by a convolution on a map with an activation, as RetinaNet's extra levels.
SHARED = """
class Levels(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.levels = nn.ModuleList([nn.Conv2d(8, 8, 3, stride=s, padding=1) for s in (1, 2)])
        self.convs = nn.ModuleList([nn.Conv2d(8, 8, 3, padding=1) for _ in range(2)])
        self.head = nn.Linear(8, 4)
    def forward(self, x):
        x = F.relu(self.body(x))
        return sum(self.head(F.relu(self.convs[{which}](level(x))).mean((2, 3))) for k, level in enumerate(self.levels))
net = Levels()
"""


@pytest.mark.parametrize(
    "net",
    [
        PYRAMID.format(stem="self.stems[k]", more="m"),
        PYRAMID.format(stem="self.first", more="m"),
        PYRAMID.format(stem="self.stems[k]", more="F.relu(self.second(F.relu(self.first(m))))"),
        SHARED.format(which="0"),
    ],
)
def test_linear_layers_that_meet_in_a_pyramid_are_let_be(net: str) -> None:
    assert found(diagnose_code(PROGRAM.format(net=net)), "missing-nonlinearity") is None


@pytest.mark.parametrize(
    ("net", "layer"),
    [
        (PYRAMID.format(stem="self.stems[k]", more="F.relu(self.second(self.first(m)))"), "first"),  # beside a pyramid
        (SHARED.format(which="k"), "levels.0"),
    ],
)
def test_an_activation_left_out_beside_a_pyramid_is_told(net: str, layer: str) -> None:
    finding = found(diagnose_code(PROGRAM.format(net=net)), "missing-nonlinearity")
    assert finding is not None
    assert finding.where.layer == layer
