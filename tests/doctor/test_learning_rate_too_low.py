"""A rate at which nothing can be reached is named; fine-tuning, warm-up and what has converged are not."""

import pytest
from planted import diagnose_code, found, line_of

PROGRAM = """
x = torch.randn(512, 16)
y = (x @ torch.randn(16, 4)).argmax(1)
net = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 4))
{before}
opt = torch.optim.{kind}(net.parameters(), lr={rate})
for epoch in range({epochs}):
    for part in torch.randperm(512).split(32):
        opt.zero_grad()
        loss = F.cross_entropy(net(x[part]), y[part])
        loss.backward()
        opt.step()
"""
PRETRAINED = """
first = torch.optim.Adam(net.parameters(), lr=1e-2)
for part in torch.randperm(512).split(32) * 2:
    first.zero_grad()
    F.cross_entropy(net(x[part]), y[part]).backward()
    first.step()
stored = {k: v.clone() for k, v in net.state_dict().items()}
net.load_state_dict(stored)
"""


@pytest.mark.craft("TD06", "TD17")
@pytest.mark.parametrize(("kind", "rate"), [("SGD", 1e-4), ("Adam", 1e-6), ("AdamW", 1e-7)])
def test_a_rate_far_too_low_is_found(kind: str, rate: float) -> None:
    program = PROGRAM.format(kind=kind, rate=rate, epochs=5, before="")
    finding = found(diagnose_code(program), "learning-rate-too-low")
    assert finding is not None
    assert finding.where.line == line_of(program, "opt = ")
    assert "of the loss is left" in finding.evidence


@pytest.mark.parametrize(
    ("kind", "rate", "before"),
    [("SGD", 0.1, ""), ("Adam", 1e-3, ""), ("Adam", 1e-6, PRETRAINED)],
    ids=["sgd", "adam", "fine-tuning"],
)
def test_a_usual_rate_and_fine_tuning_are_let_be(kind: str, rate: float, before: str) -> None:
    program = PROGRAM.format(kind=kind, rate=rate, epochs=6, before=before)
    assert found(diagnose_code(program), "learning-rate-too-low") is None
