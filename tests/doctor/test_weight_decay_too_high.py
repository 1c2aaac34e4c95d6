"""Decay or a penalty that outweighs the data is named at its factor; usual decay is not."""

import pytest
from planted import diagnose_code, found, line_of

PROGRAM = """
x = torch.randn(512, 16)
y = (x @ torch.randn(16, 4)).argmax(1)
net = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 4))
DECAY = {decay}
opt = torch.optim.{kind}(net.parameters(), lr={rate}, weight_decay=DECAY)
for epoch in range(6):
    for part in torch.randperm(512).split(32):
        opt.zero_grad()
        loss = F.cross_entropy(net(x[part]), y[part])
        loss.backward()
        opt.step()
"""
PENALTY = """
x = torch.randn(512, 16)
y = (x @ torch.randn(16, 4)).argmax(1)
net = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 4))
opt = torch.optim.Adam(net.parameters(), lr=1e-2)
for epoch in range(6):
    for part in torch.randperm(512).split(32):
        opt.zero_grad()
        l2 = sum(p.pow(2).sum() for p in net.parameters())
        loss = F.cross_entropy(net(x[part]), y[part]) + {factor} * l2
        loss.backward()
        opt.step()
"""


@pytest.mark.parametrize(
    ("kind", "rate", "decay"),
    [("SGD", 0.1, 0.3), ("Adam", 1e-2, 1.0), ("AdamW", 1e-2, 20.0)],
    ids=["sgd", "adam", "adamw"],
)
def test_decay_that_outweighs_the_data_is_found(kind: str, rate: float, decay: float) -> None:
    program = PROGRAM.format(kind=kind, rate=rate, decay=decay)
    finding = found(diagnose_code(program), "weight-decay-too-high")
    assert finding is not None
    assert finding.where.line == line_of(program, "DECAY =")


def test_a_penalty_larger_than_the_loss_is_found() -> None:
    program = PENALTY.format(factor=1.0)
    finding = found(diagnose_code(program), "weight-decay-too-high")
    assert finding is not None
    assert finding.where.line == line_of(program, "l2 =")


@pytest.mark.parametrize(
    ("kind", "rate", "decay"),
    [("SGD", 0.1, 5e-4), ("Adam", 1e-2, 1e-3), ("AdamW", 1e-2, 0.1)],
    ids=["sgd", "adam", "adamw"],
)
def test_usual_decay_is_let_be(kind: str, rate: float, decay: float) -> None:
    assert found(diagnose_code(PROGRAM.format(kind=kind, rate=rate, decay=decay)), "weight-decay-too-high") is None


def test_a_light_penalty_is_let_be() -> None:
    assert found(diagnose_code(PENALTY.format(factor=1e-4)), "weight-decay-too-high") is None
