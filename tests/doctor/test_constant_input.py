"""A channel emptied by an integer division, a dead column and blank pictures are named; lively and sparse inputs are not."""

import pytest
from data_programs import CLEAN, HEAD, LOOP, program
from planted import diagnose_code, found, line_of

FAULT = "constant-input"
COLOURS = """
def colours(n, seed):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 4, n)
    raw = rng.integers(0, 60, (n, 3, 6, 6))
    raw[:, 0] += 45 * y[:, None, None]
    hue = raw[:, 0] {operation} 255
    other = raw[:, 1:] / 255
    x = np.concatenate([hue[:, None], other], 1)
    return torch.tensor(x, dtype=torch.float32), torch.tensor(y)
xtr, ytr = colours(320, 1)
xte, yte = colours(100, 2)
net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(128, 4))
opt = torch.optim.Adam(net.parameters(), lr=3e-3)
"""
TABLE = """
rng = np.random.default_rng(0)
table = rng.normal(0, 1, (300, 6)).astype("float32")
label = (table[:, 0] + table[:, 1] > 0).astype("int64")
{change}
xtr, ytr, xte, yte = torch.tensor(table[:200]), torch.tensor(label[:200]), torch.tensor(table[200:]), torch.tensor(label[200:])
net = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 2))
opt = torch.optim.Adam(net.parameters(), lr=1e-2)
"""


@pytest.mark.craft("TD02")
def test_an_integer_division_is_named_and_a_true_one_is_not() -> None:
    sick, well = (COLOURS.replace("{operation}", o) + LOOP.format(epochs=3) for o in ("//", "/"))
    finding = found(diagnose_code(sick, head=HEAD), FAULT)
    assert finding is not None
    assert finding.where.line == line_of(sick, "// 255", head=HEAD)
    assert finding.where.layer == "0"
    assert "channel 0 of 3" in finding.evidence
    assert found(diagnose_code(well, head=HEAD), FAULT) is None


@pytest.mark.craft("TD02")
def test_a_dead_column_is_named() -> None:
    source = TABLE.format(change="table[:, 1] = 0") + LOOP.format(epochs=3)
    finding = found(diagnose_code(source, head=HEAD), FAULT)
    assert finding is not None
    assert finding.where.line == line_of(source, "table[:, 1] = 0", head=HEAD)


def test_blank_pictures_are_named() -> None:
    source = program(CLEAN.replace("torch.tensor(x)", "torch.zeros(len(x), 1, 8, 8)"), epochs=2)
    finding = found(diagnose_code(source, head=HEAD), FAULT)
    assert finding is not None
    assert "blank" in finding.evidence


@pytest.mark.parametrize(
    "source",
    [
        program(CLEAN),
        TABLE.format(change="") + LOOP.format(epochs=2),
        TABLE.format(change="table[:, 5] = 1") + LOOP.format(epochs=2),  # an intercept
        TABLE.format(change="table[:, 2:] = table[:, 2:] > 1.5; table[:, 5] = 0")
        + LOOP.format(epochs=2),  # flags, one rare
        program(CLEAN + "xtr[:, :, :, 0] = 0\nxte[:, :, :, 0] = 0\n"),  # a margin
    ],
)
def test_lively_inputs_are_let_be(source: str) -> None:
    assert found(diagnose_code(source, head=HEAD), FAULT) is None
