"""A sum in the place of a mean is named where it does harm; at a rate that fits it, or divided, it is not."""

import pytest
from planted import diagnose_code, found, line_of

PROGRAM = """
x = torch.randn(512, 16)
y = (x @ torch.randn(16, 4)).argmax(1)
net = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 4))
opt = torch.optim.{opt}
def own(out, target):
    return -F.log_softmax(out, 1)[torch.arange(len(target)), target].sum()
for epoch in range(4):
    for part in torch.randperm(512).split(64):
        out = net(x[part])
        opt.zero_grad()
        loss = {loss}
        loss.backward()
        opt.step()
"""
FUNCTION = "F.cross_entropy(out, y[part], reduction='sum')"
SGD, ADAM = "SGD(net.parameters(), lr={})", "Adam(net.parameters(), lr=1e-2)"


@pytest.mark.parametrize(
    ("loss", "line"),
    [
        (FUNCTION, "reduction='sum'"),
        ("nn.CrossEntropyLoss(reduction='sum')(out, y[part])", "reduction='sum'"),
        ("own(out, y[part])", ".sum()"),
    ],
    ids=["function", "module", "own"],
)  # fmt: skip
def test_a_sum_that_makes_the_loss_leap_is_found(loss: str, line: str) -> None:
    program = PROGRAM.format(loss=loss, opt=SGD.format(0.5))
    finding = found(diagnose_code(program), "summed-loss")
    assert finding is not None
    assert finding.where.line == line_of(program, line)
    assert "64 samples at a time" in finding.evidence


def test_a_sum_in_a_program_without_modules_is_found() -> None:
    program = """
    x = torch.randn(512, 16)
    y = (x @ torch.randn(16, 4)).argmax(1)
    w = (torch.randn(16, 4) / 4).requires_grad_()
    for epoch in range(4):
        for part in torch.randperm(512).split(64):
            scores = x[part] @ w
            loss = (scores.logsumexp(1) - scores[torch.arange(64), y[part]]).sum()
            loss.backward()
            with torch.no_grad():
                w -= 2.0 * w.grad
                w.grad.zero_()
    """
    finding = found(diagnose_code(program), "summed-loss")
    assert finding is not None
    assert finding.where.line == line_of(program, ".sum()")


@pytest.mark.parametrize(
    ("loss", "opt"),
    [
        ("F.cross_entropy(out, y[part])", SGD.format(0.5)),
        (FUNCTION + " / len(part)", SGD.format(0.5)),
        (FUNCTION, SGD.format(0.5 / 64)),
        (FUNCTION, ADAM),
        ("own(out, y[part]) / len(part)", SGD.format(0.5)),
    ],
    ids=["mean", "divided", "low rate", "adam", "own divided"],
)
def test_a_mean_or_a_rate_that_fits_is_let_be(loss: str, opt: str) -> None:
    assert found(diagnose_code(PROGRAM.format(loss=loss, opt=opt)), "summed-loss") is None
