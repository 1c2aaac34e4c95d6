"""Units that never fire again are told, with the bias that keeps them there; sparse ones of a network that learns are not."""

import pytest
from planted import diagnose_code, found, line_of

NET = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(10, 32)
        self.fc2 = nn.Linear(32, 32)
        self.out = nn.Linear(32, 3)
        {init}
    def forward(self, x):
        return self.out(F.relu(self.fc2(F.relu(self.fc1(x)))))
x = torch.randn(128, 10)
y = x[:, :3].argmax(1)
net = Net()
opt = torch.optim.SGD(net.parameters(), lr={rate})
for step in range(40):
    opt.zero_grad()
    F.cross_entropy(net(x), y).backward()
    opt.step()
"""


@pytest.mark.craft("TD08")
def test_a_bias_that_keeps_all_units_below_zero() -> None:
    sick = NET.format(init="nn.init.constant_(self.fc2.bias, -10.0)", rate=0.1)
    diagnosis = diagnose_code(sick)
    finding = found(diagnosis, "dead-relu")
    assert finding is not None
    assert diagnosis.findings[0].fault == "dead-relu"
    assert (finding.where.layer, finding.where.line) == ("fc2", line_of(sick, "constant_"))
    assert "100%" in finding.evidence


def test_units_that_die_in_training() -> None:
    sick = NET.format(init="pass", rate=5.0)
    assert found(diagnose_code(sick), "dead-relu") is not None


@pytest.mark.craft("TD08")
@pytest.mark.parametrize("init", ["pass", "nn.init.constant_(self.fc1.bias, -0.3)"])
def test_units_that_fire(init: str) -> None:
    assert found(diagnose_code(NET.format(init=init, rate=0.5)), "dead-relu") is None
