"""Gradients that are never cleared are named; accumulation, closures, adversaries and other ways to clear are not."""

import pytest
from planted import diagnose_code, found, line_of

PROGRAM = """
x, y = torch.randn(64, 8), torch.randint(4, (64,))
net = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4))
opt = torch.optim.SGD(net.parameters(), lr=0.01)
for epoch in range(4):
    {once}
    for part in torch.arange(64).split(8):
        {first}
        F.cross_entropy(net(x[part]), y[part]).backward()
        {last}
"""


@pytest.mark.craft("TD08")
@pytest.mark.parametrize(
    ("once", "first", "last", "line"),
    [
        ("pass", "pass", "opt.step()", ".backward()"),
        ("opt.zero_grad()", "pass", "opt.step()", "opt.zero_grad()"),
        ("pass", "opt.zero_grad", "opt.step()", "opt.zero_grad"),
    ],
    ids=["never", "once an epoch", "not called"],
)
def test_gradients_that_pile_up_are_found(once: str, first: str, last: str, line: str) -> None:
    program = PROGRAM.format(once=once, first=first, last=last)
    finding = found(diagnose_code(program), "missing-zero-grad")
    assert finding is not None
    assert finding.where.line == line_of(program, line)


def test_updates_by_hand_on_piled_up_gradients_are_found() -> None:
    program = """
    x, y = torch.randn(64, 8), torch.randint(4, (64,))
    net = nn.Linear(8, 4)
    for step in range(20):
        F.cross_entropy(net(x), y).backward()
        with torch.no_grad():
            for p in net.parameters():
                p -= 0.1 * p.grad
    """
    assert found(diagnose_code(program), "missing-zero-grad") is not None


@pytest.mark.parametrize(
    ("first", "last"),
    [
        ("opt.zero_grad()", "opt.step()"),
        ("net.zero_grad()", "opt.step()"),
        ("for p in net.parameters(): p.grad = None", "opt.step()"),
        ("pass", "opt.step(); opt.zero_grad(set_to_none=False)"),
        ("pass", "if part[0] % 16: opt.step(); opt.zero_grad()"),
    ],
    ids=["optimizer", "network", "by hand", "after", "accumulation"],
)
def test_gradients_that_are_cleared_are_let_be(first: str, last: str) -> None:
    assert found(diagnose_code(PROGRAM.format(once="pass", first=first, last=last)), "missing-zero-grad") is None


def test_a_closure_that_clears_is_let_be() -> None:
    program = """
    x, y = torch.randn(64, 8), torch.randn(64, 1)
    net = nn.Linear(8, 1)
    opt = torch.optim.LBFGS(net.parameters(), max_iter=4)
    def closure():
        opt.zero_grad()
        loss = F.mse_loss(net(x), y)
        loss.backward()
        return loss
    for step in range(8):
        opt.step(closure)
    """
    assert found(diagnose_code(program), "missing-zero-grad") is None


def test_a_generator_that_fills_the_judges_gradients_is_let_be() -> None:
    program = """
    make, judge = nn.Linear(4, 8), nn.Sequential(nn.Linear(8, 16), nn.LeakyReLU(), nn.Linear(16, 1))
    first = torch.optim.Adam(make.parameters(), lr=1e-3)
    second = torch.optim.Adam(judge.parameters(), lr=1e-3)
    for step in range(20):
        fake = make(torch.randn(32, 4))
        second.zero_grad()
        (F.softplus(judge(fake.detach())) + F.softplus(-judge(torch.randn(32, 8)))).mean().backward()
        second.step()
        first.zero_grad()
        F.softplus(-judge(fake)).mean().backward()
        first.step()
    """
    assert found(diagnose_code(program), "missing-zero-grad") is None
