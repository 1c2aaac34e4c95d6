"""A hidden layer of one or two units that does not learn is told; one that suffices, and an autoencoder's code, are not."""

import pytest
from planted import diagnose_code, found, line_of

PROGRAM = """
y = torch.randint({classes}, (256,))
x = 2 * F.one_hot(y, 16).float() + 0.3 * torch.randn(256, 16)
net = nn.Sequential(
    nn.Linear(16, 32),
    nn.ReLU(),
    nn.Linear(32, {waist}),
    {after},
    nn.Linear({waist}, {outputs}),
)
opt = torch.optim.Adam(net.parameters(), lr=1e-2)
for step in range({steps}):
    opt.zero_grad()
    loss = {loss}
    loss.backward()
    opt.step()
"""
ENTROPY = "F.cross_entropy(net(x), y)"


def program(
    classes: int, waist: int, loss: str = ENTROPY, outputs: int | None = None, after: str = "nn.ReLU()", steps: int = 40
) -> str:
    outputs = classes if outputs is None else outputs
    return PROGRAM.format(classes=classes, waist=waist, outputs=outputs, loss=loss, after=after, steps=steps)


@pytest.mark.craft("TD11")
@pytest.mark.parametrize("waist", [1, 2])
def test_ten_classes_through_one_or_two_units(waist: int) -> None:
    sick = program(10, waist)
    finding = found(diagnose_code(sick), "narrow-bottleneck")
    assert finding is not None
    assert finding.severity == "critical"
    assert (finding.where.layer, finding.where.line) == ("2", line_of(sick, f"nn.Linear(32, {waist})"))


def test_four_numbers_through_one_unit() -> None:
    assert found(diagnose_code(program(10, 1, "F.mse_loss(net(x), x[:, :4])", 4)), "narrow-bottleneck") is not None


@pytest.mark.parametrize(
    "healthy",
    [
        program(10, 16),
        program(3, 2, after="nn.Tanh()", steps=120),  # two values that are enough
        program(10, 2, "F.mse_loss(net(x), x)", 16),  # an autoencoder's code
        program(2, 8),
    ],
)
def test_what_is_wide_enough_is_let_be(healthy: str) -> None:
    assert found(diagnose_code(healthy), "narrow-bottleneck") is None
