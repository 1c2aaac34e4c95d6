"""Test data that were not scaled, or come as BGR, are named where they are made; one way for both is not."""

import pytest
from data_programs import HEAD, LOOP, NET, program
from planted import diagnose_code, found, line_of

FAULT = "preprocessing-mismatch"
DATA = """
x, y = pictures(320, 1)
xtr, ytr = torch.tensor((x - 0.4) / 0.2), torch.tensor(y)
x, y = pictures(120, 2)
xte, yte = torch.tensor({test}), torch.tensor(y)
"""
COLOURS = """
def colours(n, seed):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 3, n)
    x = rng.normal(0.3, 0.1, (n, 3, 8, 8)).astype("float32")
    x[np.arange(n), y] += 0.4
    return x, torch.tensor(y)
x, ytr = colours(300, 1)
xtr = torch.tensor(x)
x, yte = colours(120, 2)
xte = torch.tensor({test})
net = nn.Sequential(nn.Conv2d(3, 6, 3), nn.ReLU(), nn.Flatten(), nn.Linear(216, 3))
opt = torch.optim.Adam(net.parameters(), lr=5e-3)
"""


@pytest.mark.craft("TD03")
def test_channels_in_another_order_are_named() -> None:
    sick, well = (COLOURS.replace("{test}", t) + LOOP.format(epochs=6) for t in ("x[:, ::-1].copy()", "x"))
    finding = found(diagnose_code(sick, head=HEAD), FAULT)
    assert finding is not None
    assert finding.where.line == line_of(sick, "[:, ::-1]", head=HEAD)
    assert "2, 1, 0" in finding.evidence
    assert found(diagnose_code(well, head=HEAD), FAULT) is None


@pytest.mark.craft("TD03")
def test_test_data_that_were_inverted_and_not_scaled_are_named() -> None:
    source = program(DATA.replace("{test}", "1 - x"), epochs=8)
    finding = found(diagnose_code(source, head=HEAD), FAULT)
    assert finding is not None
    assert finding.where.line == line_of(source, "1 - x", head=HEAD)


AUGMENTED = LOOP.replace("net(xtr[idx])", "net(xtr[idx] * (0.6 + 0.5 * torch.rand(len(idx), 1, 1, 1)))")


@pytest.mark.parametrize(
    "source",
    [
        program(DATA.replace("{test}", "(x - 0.4) / 0.2")),
        program(DATA.replace("{test}", "(x - 0.4) / 0.2"), net=NET, loop=AUGMENTED),
    ],
)
def test_one_way_for_both_also_with_augmentation_is_let_be(source: str) -> None:
    assert found(diagnose_code(source, head=HEAD), FAULT) is None
