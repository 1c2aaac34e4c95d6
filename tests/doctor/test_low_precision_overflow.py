"""Overflow and lost updates in 16 bits are named; autocast to bfloat16 and weights in float32 are not."""

import pytest
from planted import diagnose_code, found, line_of

PROGRAM = """
x = torch.randn(256, 16)
y = (x @ torch.randn(16, 4)).argmax(1)
net = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 4)){cast}
opt = torch.optim.{opt}
for epoch in range(3):
    for part in torch.randperm(256).split(32):
        opt.zero_grad()
        {forward}
        loss = F.cross_entropy(out.float(), y[part])
        loss.backward()
        opt.step()
"""
HALF, BRAIN = "out = net(({} * x[part]).half())", "out = net(x[part].bfloat16())"
AUTOCAST = "with torch.autocast('cpu', dtype=torch.{}): out = net({} * x[part])"


@pytest.mark.parametrize(
    ("cast", "opt", "forward", "line"),
    [
        (".half()", "Adam(net.parameters(), lr=1e-3)", HALF.format(1), ".half()"),
        (".half()", "SGD(net.parameters(), lr=0.1)", HALF.format(40000), ".half()"),
        ("", "SGD(net.parameters(), lr=0.1)", AUTOCAST.format("float16", 60000), "autocast"),
        (".bfloat16()", "SGD(net.parameters(), lr=1e-4)", BRAIN, ".bfloat16()"),
    ],
    ids=["adam in half", "large inputs", "autocast", "lost updates"],
)
def test_numbers_beyond_the_type_are_found(cast: str, opt: str, forward: str, line: str) -> None:
    program = PROGRAM.format(cast=cast, opt=opt, forward=forward)
    finding = found(diagnose_code(program), "low-precision-overflow")
    assert finding is not None
    assert finding.where.line == line_of(program, line)


@pytest.mark.parametrize(
    "forward",
    ["out = net(x[part])", AUTOCAST.format("bfloat16", 1), AUTOCAST.format("float16", 1)],
    ids=["float32", "bfloat16", "float16"],
)
def test_what_stays_within_the_type_is_let_be(forward: str) -> None:
    program = PROGRAM.format(cast="", opt="Adam(net.parameters(), lr=1e-2)", forward=forward)
    assert found(diagnose_code(program), "low-precision-overflow") is None
