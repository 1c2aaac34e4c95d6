"""A tower of plain layers is told; with shortcuts or norms, or with few layers, it is not."""

import pytest
from planted import diagnose_code, found, line_of

PROGRAM = """
x, y = torch.randn(64, 8), torch.randint(4, (64,))
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.inp = nn.Linear(8, 16)
        self.blocks = nn.ModuleList(nn.Sequential({block}) for _ in range({depth}))
        self.out = nn.Linear(16, 4)
    def forward(self, x):
        x = torch.relu(self.inp(x))
        for block in self.blocks:
            x = {step}
        return self.out(x)
net = Net()
opt = torch.optim.SGD(net.parameters(), lr=0.01)
for step in range(4):
    opt.zero_grad()
    F.cross_entropy(net(x), y).backward()
    opt.step()
"""


def program(depth: int, step: str = "block(x)", block: str = "nn.Linear(16, 16), nn.ReLU()") -> str:
    return PROGRAM.format(depth=depth, step=step, block=block)


@pytest.mark.craft("TD10")
@pytest.mark.parametrize("depth", [20, 48])
def test_a_plain_tower(depth: int) -> None:
    sick = program(depth)
    finding = found(diagnose_code(sick), "too-deep-plain")
    assert finding is not None
    assert f"{depth + 2} layers with weights" in finding.evidence
    assert (finding.where.layer, finding.where.line) == ("blocks.0.0", line_of(sick, "nn.ModuleList"))


@pytest.mark.parametrize(
    "healthy",
    [
        program(4),
        program(48, step="x + 0.1 * block(x)"),
        program(24, block="nn.Linear(16, 16), nn.BatchNorm1d(16), nn.ReLU()"),
        program(24, step="self.blocks[0](x)"),  # one layer, over and over: a recurrent network
    ],
)
def test_towers_that_carry_are_let_be(healthy: str) -> None:
    assert found(diagnose_code(healthy), "too-deep-plain") is None
