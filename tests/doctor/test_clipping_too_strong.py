"""A limit far below the usual norm of gradients is named; clipping that training bears is not."""

import pytest
from planted import diagnose_code, found, line_of

PROGRAM = """
x = torch.randn(512, 16)
y = (x @ torch.randn(16, 4)).argmax(1)
net = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 4))
opt = torch.optim.{kind}(net.parameters(), lr={rate})
LIMIT = {limit}
for epoch in range(6):
    for part in torch.randperm(512).split(32):
        opt.zero_grad()
        loss = F.cross_entropy(net(x[part]), y[part])
        loss.backward()
        {clip}
        opt.step()
"""
NORM = "nn.utils.clip_grad_norm_(net.parameters(), max_norm=LIMIT)"
VALUE = "nn.utils.clip_grad_value_(net.parameters(), LIMIT)"
BY_HAND = "for p in net.parameters(): p.grad.clamp_(-1e-5, 1e-5)"


@pytest.mark.parametrize(
    ("clip", "limit", "line"),
    [(NORM, 1e-3, "LIMIT ="), (VALUE, 1e-5, "LIMIT ="), (BY_HAND, 1, "clamp_")],
    ids=["norm", "value", "by hand"],
)
def test_a_limit_that_cuts_every_gradient_is_found(clip: str, limit: float, line: str) -> None:
    program = PROGRAM.format(kind="SGD", rate=0.1, clip=clip, limit=limit)
    finding = found(diagnose_code(program), "clipping-too-strong")
    assert finding is not None
    assert finding.where.line == line_of(program, line)


@pytest.mark.parametrize(
    ("kind", "rate", "limit"),
    [("SGD", 0.3, 1.0), ("SGD", 0.5, 0.3), ("Adam", 1e-2, 1e-2)],
    ids=["seldom", "often", "adam"],
)
def test_clipping_that_training_bears_is_let_be(kind: str, rate: float, limit: float) -> None:
    program = PROGRAM.format(kind=kind, rate=rate, clip=NORM, limit=limit)
    assert found(diagnose_code(program), "clipping-too-strong") is None
