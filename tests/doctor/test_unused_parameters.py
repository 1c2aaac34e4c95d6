"""Layers that take no part in the loss are told; those that learn in another stage, or now and then, are not."""

import pytest
from planted import diagnose_code, found, line_of

NET = """
import copy
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(6, 8)
        self.spare = nn.Linear(8, 8)
        self.last = nn.Linear(8, 3)
    def forward(self, x, step=0):
        h = torch.relu(self.first(x))
        {use}
        return self.last(h)
x, y = torch.randn(64, 6), torch.randint(3, (64,))
net = Net()
{before}
opt = torch.optim.Adam(net.parameters(), lr=1e-2)
for step in range(8):
    opt.zero_grad()
    F.cross_entropy(net(x, step), y).backward()
    opt.step()
"""


@pytest.mark.parametrize("use", ["pass", "g = torch.relu(self.spare(h))"])
def test_a_layer_that_the_loss_does_not_depend_on(use: str) -> None:
    sick = NET.format(use=use, before="")
    finding = found(diagnose_code(sick), "unused-parameters")
    assert finding is not None
    assert (finding.where.layer, finding.where.line) == ("spare", line_of(sick, "self.spare = "))


@pytest.mark.parametrize(
    ("use", "before"),
    [
        ("h = torch.relu(self.spare(h))", ""),
        ("h = torch.relu(self.spare(h)) if step % 2 else h", ""),
        ("pass", "net.spare.requires_grad_(False)"),
        ("pass", "net.load_state_dict(copy.deepcopy(net.state_dict()))"),
        ("pass", "shadow = copy.deepcopy(net).requires_grad_(False)\nshadow(x)"),
    ],
)
def test_what_is_used_frozen_or_loaded(use: str, before: str) -> None:
    program = NET.format(use=use, before=before)
    if "shadow" in before:
        program = program.replace("pass", "h = self.spare(h)")
    assert found(diagnose_code(program), "unused-parameters") is None
