"""Calls that are missing or in the wrong order are named at their lines; other right orders are not."""

import pytest
from planted import diagnose_code, found, line_of

PROGRAM = """
x, y = torch.randn(64, 8), torch.randint(4, (64,))
net = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4))
opt = torch.optim.Adam(net.parameters(), lr=1e-2)
for epoch in range(3):
    for part in torch.randperm(64).split(4):
        loss = F.cross_entropy(net(x[part]), y[part])
        {one}
        {two}
        {three}
    {end}
"""
PASS = "pass"


@pytest.mark.parametrize(
    ("one", "two", "three", "end", "line"),
    [
        ("loss.backward()", "opt.zero_grad()", "opt.step()", PASS, "opt.zero_grad()"),
        ("opt.zero_grad()", "opt.step()", "loss.backward()", PASS, "opt.step()"),
        ("opt.zero_grad()", "loss.backward()", PASS, PASS, "loss.backward()"),
        ("opt.zero_grad()", "loss.backward()", "opt.step", PASS, "opt.step"),
        ("opt.zero_grad()", "loss.backward()", PASS, "opt.step()", "opt.step()"),
        ("opt.zero_grad()", PASS, "opt.step()", PASS, "opt.step()"),
        ("opt.zero_grad()", "loss.backward", "opt.step()", PASS, "loss.backward"),
        ("opt.zero_grad()", PASS, PASS, PASS, "loss ="),
    ],
    ids=[
        "cleared between", "step first", "no step", "step not called", "step outside", "no backward", "backward not called",
        "neither",
    ],
)  # fmt: skip
def test_calls_out_of_order_are_found(one: str, two: str, three: str, end: str, line: str) -> None:
    program = PROGRAM.format(one=one, two=two, three=three, end=end)
    finding = found(diagnose_code(program), "missing-backward-or-step")
    assert finding is not None
    assert finding.where.line == line_of(program, line)


@pytest.mark.parametrize(
    ("one", "two", "three"),
    [
        ("opt.zero_grad()", "loss.backward()", "opt.step()"),
        ("loss.backward()", "opt.step()", "opt.zero_grad()"),
        ("(loss / 4).backward()", "if part[0] % 4 == 0: opt.step(); opt.zero_grad()", PASS),
    ],
)
def test_calls_in_order_are_let_be(one: str, two: str, three: str) -> None:
    program = PROGRAM.format(one=one, two=two, three=three, end=PASS)
    assert found(diagnose_code(program), "missing-backward-or-step") is None


def test_updates_by_hand_need_no_step() -> None:
    program = PROGRAM.format(
        one="net.zero_grad()",
        two="loss.backward()",
        three="for p in net.parameters(): p.data -= 0.1 * p.grad",
        end=PASS,
    )
    assert found(diagnose_code(program), "missing-backward-or-step") is None
