"""Layers whose units stay copies are told, with the line that sets them; zeros that break no symmetry are not."""

import pytest
from planted import diagnose_code, found, line_of

NET = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(6, 16)
        self.b = nn.Linear(16, 16)
        self.c = nn.Linear(16, 3)
        self.drop = nn.Dropout({p})
        {init}
    def forward(self, x):
        h = {act}(self.a(x))
        h = {b}
        return self.c(self.drop(h))
x, y = torch.randn(96, 6), torch.randint(3, (96,))
net = Net()
opt = torch.optim.Adam(net.parameters(), lr=1e-2)
for step in range(12):
    opt.zero_grad()
    F.cross_entropy(net(x), y).backward()
    opt.step()
"""
EVERY = "for m in (self.a, self.b, self.c):\n            {call}\n            nn.init.zeros_(m.bias)"


def program(init: str = "pass", act: str = "torch.relu", b: str = "torch.relu(self.b(h))", p: float = 0.0) -> str:
    return NET.format(init=init, act=act, b=b, p=p)


@pytest.mark.craft("TD09")
@pytest.mark.parametrize(
    ("init", "act", "p", "text", "layer"),
    [
        (EVERY.format(call="nn.init.constant_(m.weight, 0.05)"), "torch.tanh", 0.0, "nn.init.constant_", "a"),
        (EVERY.format(call="nn.init.zeros_(m.weight)"), "torch.relu", 0.0, "nn.init.zeros_(m.weight)", "a"),
        (EVERY.format(call="m.weight.data.fill_(0.1)"), "torch.relu", 0.3, "fill_(0.1)", "a"),
        ("for p in self.parameters(): nn.init.constant_(p, 0.5)", "torch.sigmoid", 0.0, "nn.init.constant_", "a"),
        ("nn.init.zeros_(self.b.weight); nn.init.zeros_(self.b.bias)", "torch.relu", 0.0, "nn.init.zeros_", "b"),
    ],
)
def test_units_that_stay_copies(init: str, act: str, p: float, text: str, layer: str) -> None:
    sick = program(init, act, p=p)
    finding = found(diagnose_code(sick), "zero-init")
    assert finding is not None
    assert (finding.where.layer, finding.where.line) == (layer, line_of(sick, text))


@pytest.mark.craft("TD09")
@pytest.mark.parametrize(
    "healthy",
    [
        program(),
        program("nn.init.zeros_(self.c.weight)"),
        program("nn.init.zeros_(self.b.weight)", b="h + self.b(h)"),
        program("nn.init.zeros_(self.b.weight); nn.init.zeros_(self.c.weight)", b="h + self.b(h)"),
        program("nn.init.zeros_(self.a.bias)"),
        program("nn.init.constant_(self.b.weight, 0.1); self.b.requires_grad_(False)"),
    ],
)
def test_zeros_that_break_no_symmetry(healthy: str) -> None:
    assert found(diagnose_code(healthy), "zero-init") is None


OWN = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.full((6, 16), 0.1))
        self.v = nn.Parameter(torch.full((16, 3), 0.1))
    def forward(self, x):
        return torch.sigmoid(x @ self.w) @ self.v
x, y = torch.randn(96, 6), torch.randint(3, (96,))
net = Net()
opt = torch.optim.Adam(net.parameters(), lr=1e-2)
for step in range(12):
    opt.zero_grad()
    F.cross_entropy(net(x), y).backward()
    opt.step()
"""


def test_matrices_of_a_persons_own() -> None:
    finding = found(diagnose_code(OWN), "zero-init")
    assert finding is not None
    assert finding.where.line == line_of(OWN, "self.w = ")
    assert found(diagnose_code(OWN.replace("torch.full((6, 16), 0.1)", "torch.randn(6, 16)")), "zero-init") is None
