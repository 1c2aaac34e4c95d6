"""Networks whose answer does not depend on the sample are told; those that start alike, or see the input late, are not."""

import pytest
from planted import diagnose_code, found, line_of

NET = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(6, 8)
        self.norm = {norm}
        self.last = nn.Linear(8, 3)
        {init}
    def forward(self, x):
        {lost}
        h = torch.relu(self.first(x))
        return self.last(self.norm(h))
x, y = torch.randn(64, 6), torch.randint(3, (64,))
net = Net()
opt = torch.optim.Adam(net.parameters(), lr=1e-2)
for step in range(6):
    opt.zero_grad()
    F.cross_entropy(net(x[step * 10:step * 10 + 10]), y[step * 10:step * 10 + 10]).backward()
    opt.step()
"""


def program(lost: str = "pass", norm: str = "nn.Identity()", init: str = "pass") -> str:
    return NET.format(lost=lost, norm=norm, init=init)


@pytest.mark.parametrize(
    ("sick", "text"),
    [
        (program("x = torch.zeros_like(x)"), "x = torch.zeros_like(x)"),
        (program("x = torch.ones(x.shape[0], 6)"), "x = torch.ones("),
        (program("x = (x - x) / 2"), "h = torch.relu(self.first"),
        (program("x = F.layer_norm(x.unsqueeze(2), (1,)).squeeze(2)"), "h = torch.relu(self.first"),
    ],
)
def test_an_input_that_is_lost(sick: str, text: str) -> None:
    finding = found(diagnose_code(sick), "input-ignored")
    assert finding is not None
    assert finding.where.layer == "first"
    assert finding.where.line is not None
    assert abs(finding.where.line - line_of(sick, text)) <= 1


@pytest.mark.parametrize(
    "healthy",
    [
        program(),
        program("x = x + torch.zeros_like(x)"),
        program(init="nn.init.zeros_(self.last.weight)"),
        program("x = x.mean(1, keepdim=True).expand(-1, 6)"),
    ],
)
def test_an_input_that_counts(healthy: str) -> None:
    assert found(diagnose_code(healthy), "input-ignored") is None


def test_answers_that_vary_but_not_with_the_input() -> None:
    sick = program("x = torch.randn(len(x), 6)")
    finding = found(diagnose_code(sick), "input-ignored")
    assert finding is not None
    assert finding.where.line == line_of(sick, "x = torch.randn(len(x)")
