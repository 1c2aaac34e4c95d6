"""Hidden sigmoids and tanhs at the end of their range are told; outputs that are sure of themselves are not."""

import pytest
from planted import diagnose_code, found, line_of

NET = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(10, 32)
        self.fc2 = nn.Linear(32, 32)
        self.out = nn.Linear(32, 1)
        {init}
    def forward(self, x):
        h = torch.{act}(self.fc1(x) * {scale})
        h = torch.{act}(self.fc2(h) * {scale})
        return torch.sigmoid({last} * self.out(h)).squeeze(1)
x = torch.randn(128, 10)
y = torch.randint(2, (128,)).float()
net = Net()
opt = torch.optim.Adam(net.parameters(), lr=1e-3)
for step in range({steps}):
    opt.zero_grad()
    F.binary_cross_entropy(net(x), y).backward()
    opt.step()
"""


@pytest.mark.parametrize("act", ["sigmoid", "tanh"])
def test_activations_far_from_zero(act: str) -> None:
    sick = NET.format(init="pass", act=act, scale=60, last=1, steps=30)
    finding = found(diagnose_code(sick), "saturated-activation")
    assert finding is not None
    assert finding.where.line is not None
    assert abs(finding.where.line - line_of(sick, f"torch.{act}(self.fc1")) <= 1


@pytest.mark.parametrize(("act", "last"), [("tanh", 1), ("tanh", 30)])
def test_activations_near_zero_and_sure_outputs(act: str, last: int) -> None:
    assert (
        found(diagnose_code(NET.format(init="pass", act=act, scale=1, last=last, steps=30)), "saturated-activation")
        is None
    )
