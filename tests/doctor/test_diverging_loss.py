"""A loss that grows is named; one that falls, adversaries and range tests are not."""

import pytest
from planted import diagnose_code, found, line_of

PROGRAM = """
x = torch.randn(256, 16)
y = (x @ torch.randn(16, 4)).argmax(1)
net = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 4))
opt = torch.optim.SGD(net.parameters(), lr={rate})
for epoch in range(6):
    for part in torch.randperm(256).split(32):
        opt.zero_grad()
        loss = {sign}F.cross_entropy(net(x[part]), y[part])
        loss.backward()
        opt.step()
        {after}
"""


@pytest.mark.craft("TD06")
def test_a_loss_with_the_wrong_sign_is_found() -> None:
    program = PROGRAM.format(rate=0.3, sign="-", after="pass")
    finding = found(diagnose_code(program), "diverging-loss")
    assert finding is not None
    assert finding.where.line == line_of(program, "loss = -")
    assert "negative" in finding.evidence


def test_a_loss_that_grows_is_found() -> None:
    program = """
    x = torch.randn(200, 6)
    y = x @ torch.randn(6, 1)
    net = nn.Linear(6, 1)
    opt = torch.optim.SGD(net.parameters(), lr=1.05)
    for step in range(60):
        opt.zero_grad()
        F.mse_loss(net(x), y).backward()
        opt.step()
    """
    assert found(diagnose_code(program), "diverging-loss") is not None


@pytest.mark.parametrize(
    "after", ["pass", "opt.param_groups[0]['lr'] *= 1.3"], ids=["falls", "range test"]
)  # the second climbs from 1e-6 on purpose
def test_a_loss_that_falls_and_a_range_test_are_let_be(after: str) -> None:
    program = PROGRAM.format(rate=0.05 if after == "pass" else 1e-3, sign="", after=after)
    assert found(diagnose_code(program), "diverging-loss") is None


@pytest.mark.craft("TD29")
def test_adversaries_are_let_be() -> None:
    program = """
    make, judge = nn.Linear(4, 8), nn.Sequential(nn.Linear(8, 16), nn.LeakyReLU(), nn.Linear(16, 1))
    first = torch.optim.Adam(make.parameters(), lr=1e-3)
    second = torch.optim.Adam(judge.parameters(), lr=1e-2)
    ones, zeros = torch.ones(32, 1), torch.zeros(32, 1)
    for step in range(60):
        fake = make(torch.randn(32, 4))
        second.zero_grad()
        loss = F.binary_cross_entropy_with_logits(judge(fake.detach()), zeros)
        (loss + F.binary_cross_entropy_with_logits(judge(torch.randn(32, 8) + 2), ones)).backward()
        second.step()
        first.zero_grad()
        F.binary_cross_entropy_with_logits(judge(fake), ones).backward()
        first.step()
    """
    diagnosis = diagnose_code(program)
    for fault in ("diverging-loss", "oscillating-loss", "plateau", "learning-rate-too-high", "missing-zero-grad"):
        assert found(diagnosis, fault) is None


# A sum of distances beside a loss of classes: as many rows as objects were matched, which differ from update to update.
PARTS = """
x = torch.randn(64, 6)
y, wanted = (x[:, 0] > 0).long(), x[:, :2] * 2
net = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 4))
opt = torch.optim.SGD(net.parameters(), lr=1e-3)
for step in range({steps}):
    rows = torch.arange({rows})
    said = net(x)
    opt.zero_grad()
    moves = F.smooth_l1_loss(said[rows, 2:], wanted[rows]{shift}, reduction="sum")
    (F.cross_entropy(said[:, :2], y) + {weight} * moves / len(rows)).backward()
    opt.step()
"""


@pytest.mark.parametrize(
    ("steps", "rows"), [(5, "4 + 12 * step"), (40, "4 + step % 3 + step")], ids=["five updates", "more rows"]
)
def test_a_sum_over_ever_more_rows_is_let_be(steps: int, rows: str) -> None:
    program = PARTS.format(steps=steps, rows=rows, shift="", weight=1)
    assert found(diagnose_code(program), "diverging-loss") is None


def test_a_part_that_grows_in_each_row_is_told() -> None:
    program = PARTS.format(steps=40, rows="16", shift=" * (1 + 0.2 * step)", weight=1)
    assert found(diagnose_code(program), "diverging-loss") is not None
