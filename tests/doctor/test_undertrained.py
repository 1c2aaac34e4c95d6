"""A loss cut off while it falls in a straight line is named; a short run that has bent is not."""

import pytest
from planted import diagnose_code, found, line_of

PROGRAM = """
x = torch.randn(300, 6); y = (x[:, 0] + x[:, 1] > 0).long()
net = nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Linear(16, 2))
opt = {optimizer}
def fit(epochs):
    for epoch in range(epochs):
        for i in torch.randperm(300).split(30):
            opt.zero_grad()
            loss = F.cross_entropy(net(x[i]), y[i])
            loss.backward()
            opt.step()
        print('epoch', epoch, 'loss', loss.item())

fit({epochs})
"""


@pytest.mark.parametrize(
    ("optimizer", "epochs"),
    [("torch.optim.SGD(net.parameters(), lr=4e-3)", 14), ("torch.optim.Adam(net.parameters(), lr=5e-4)", 4)],
)
def test_a_straight_fall_cut_off_is_named_at_the_number_of_epochs(optimizer: str, epochs: int) -> None:
    program = PROGRAM.format(optimizer=optimizer, epochs=epochs)
    finding = found(diagnose_code(program), "undertrained")
    assert finding is not None
    assert finding.where.line == line_of(program, f"fit({epochs})")


@pytest.mark.parametrize(
    ("optimizer", "epochs"),
    [("torch.optim.Adam(net.parameters(), lr=1e-2)", 5), ("torch.optim.SGD(net.parameters(), lr=0.1)", 10)],
)
def test_a_short_run_that_learns_is_let_be(optimizer: str, epochs: int) -> None:
    diagnosis = diagnose_code(PROGRAM.format(optimizer=optimizer, epochs=epochs))
    assert found(diagnosis, "undertrained") is None
    assert found(diagnosis, "underfitting") is None
