"""A loss that stands at that of a constant answer is named; one that falls late or reaches its noise is not."""

import pytest
from planted import diagnose_code, found, line_of

PROGRAM = """
x = torch.randn(512, 16)
y = {target}
net = nn.Sequential({layers})
opt = torch.optim.SGD(net.parameters(), lr=0.1)
for epoch in range(6):
    for part in torch.randperm(512).split(32):
        opt.zero_grad()
        loss = F.{loss}(net(x[part]), y[part])
        loss.backward()
        opt.step()
"""
CLASSES, NUMBERS = "(x @ torch.randn(16, 4)).argmax(1)", "x[:, :1] + 0.5 * torch.randn(512, 1)"
SHALLOW = "nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, {})"
DEEP = "nn.Linear(16, 32), " + "nn.Sigmoid(), nn.Linear(32, 32), " * 5 + "nn.Sigmoid(), nn.Linear(32, 4)"


@pytest.mark.craft("TD16")
def test_a_loss_that_stands_still_is_found() -> None:
    program = PROGRAM.format(target=CLASSES, layers=DEEP, loss="cross_entropy")
    finding = found(diagnose_code(program), "plateau")
    assert finding is not None
    assert finding.where.line == line_of(program, "cross_entropy")
    assert finding.certainty < 0.6


@pytest.mark.parametrize(
    ("target", "loss", "outputs"),
    [(CLASSES, "cross_entropy", 4), (NUMBERS, "mse_loss", 1)],
    ids=["learns", "reaches its noise"],
)
def test_what_learns_is_let_be(target: str, loss: str, outputs: int) -> None:
    program = PROGRAM.format(target=target, layers=SHALLOW.format(outputs), loss=loss)
    assert found(diagnose_code(program), "plateau") is None
