"""A rate that throws away what is learnt is named at the line of its number; usual rates are not."""

import pytest
from planted import diagnose_code, found, line_of

PROGRAM = """
x = torch.randn(512, 16)
y = (x @ torch.randn(16, 4)).argmax(1)
RATE = {rate}
net = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 4))
opt = torch.optim.{kind}(net.parameters(), lr=RATE)
for epoch in range(5):
    for part in torch.randperm(512).split(32):
        opt.zero_grad()
        loss = F.cross_entropy(net(x[part]), y[part])
        loss.backward()
        opt.step()
"""


@pytest.mark.craft("TD06", "TD17")
@pytest.mark.parametrize(("kind", "rate"), [("SGD", 30), ("Adam", 3), ("RMSprop", 1)])
def test_a_rate_far_too_high_is_found_where_it_is_written(kind: str, rate: float) -> None:
    program = PROGRAM.format(kind=kind, rate=rate)
    finding = found(diagnose_code(program), "learning-rate-too-high")
    assert finding is not None
    assert finding.where.line == line_of(program, "RATE =")
    assert "of its size" in finding.evidence


def test_a_linear_fit_that_blows_up_is_found() -> None:
    program = """
    x = torch.randn(200, 6)
    y = x @ torch.randn(6, 1)
    net = nn.Linear(6, 1)
    opt = torch.optim.SGD(net.parameters(), lr=1.5)
    for step in range(60):
        opt.zero_grad()
        F.mse_loss(net(x), y).backward()
        opt.step()
    """
    assert found(diagnose_code(program), "learning-rate-too-high") is not None


@pytest.mark.parametrize(("kind", "rate"), [("SGD", 0.3), ("Adam", 1e-2), ("Adam", 3e-2), ("RMSprop", 3e-3)])
def test_a_rate_at_which_it_learns_is_let_be(kind: str, rate: float) -> None:
    assert found(diagnose_code(PROGRAM.format(kind=kind, rate=rate)), "learning-rate-too-high") is None
