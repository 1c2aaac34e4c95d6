"""Targets of thousands that are never reached are named; scaled ones, and large ones that are reached, are not."""

import pytest
from data_programs import HEAD
from planted import diagnose_code, found, line_of

FAULT = "target-not-scaled"
PROGRAM = """
x = torch.linspace(-3, 3, 256).unsqueeze(1)
y = {target}
net = nn.Sequential(nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 1))
opt = torch.optim.{opt}
for epoch in range({epochs}):
    for idx in torch.randperm(256).split(32):
        opt.zero_grad()
        loss = F.mse_loss(net(x[idx]), y[idx])
        loss.backward()
        opt.step()
"""


@pytest.mark.craft("TD01")
def test_targets_of_thousands_are_named_where_they_are_made() -> None:
    source = PROGRAM.format(target="4000 + 900 * torch.sin(x)", opt="Adam(net.parameters(), lr=1e-3)", epochs=8)
    finding = found(diagnose_code(source, head=HEAD), FAULT)
    assert finding is not None
    assert finding.where.line == line_of(source, "y = 4000", head=HEAD)
    assert finding.where.layer == "2"


@pytest.mark.parametrize(
    ("target", "opt", "epochs"),
    [
        ("torch.sin(x)", "Adam(net.parameters(), lr=1e-2)", 6),
        ("5 * torch.sin(x)", "Adam(net.parameters(), lr=1e-3)", 2),  # not reached, but of the right size
        ("50 * x", "Adam(net.parameters(), lr=0.3)", 40),  # large, and reached
    ],
)
def test_targets_of_the_right_size_or_reached_are_let_be(target: str, opt: str, epochs: int) -> None:
    assert found(diagnose_code(PROGRAM.format(target=target, opt=opt, epochs=epochs), head=HEAD), FAULT) is None
