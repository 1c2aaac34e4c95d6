"""Raw pixels and raw units are named at the line that makes them numbers; scaled ones, tokens and inner scaling are not."""

import pytest
from data_programs import CLEAN, HEAD, LOOP, program
from planted import diagnose_code, found, line_of

FAULT = "input-not-scaled"
RAW = CLEAN.replace("torch.tensor(x)", "torch.tensor(x * 255).round().float()")
TABLE = """
rng = np.random.default_rng(0)
table = np.stack([rng.normal(1500, 400, 300), rng.normal(2, 1, 300), rng.normal(0.01, 0.003, 300)], 1)
target = (table[:, 1] > 2).astype("int64")
{scale}
x = torch.tensor(table, dtype=torch.float32)
xtr, ytr, xte, yte = x[:200], torch.tensor(target[:200]), x[200:], torch.tensor(target[200:])
net = nn.Sequential(nn.Linear(3, 16), nn.ReLU(), nn.Linear(16, 2))
opt = torch.optim.SGD(net.parameters(), lr=0.05)
"""


@pytest.mark.craft("TD01", "TD03")
def test_pixels_up_to_255_are_named_at_their_conversion() -> None:
    source = program(RAW)
    finding = found(diagnose_code(source, head=HEAD), FAULT)
    assert finding is not None
    assert finding.severity == "critical"
    assert finding.where.line == line_of(source, "torch.tensor(x * 255)", head=HEAD)
    assert finding.where.layer == "1"


@pytest.mark.craft("TD01")
def test_a_table_in_raw_units_is_named_and_a_standardised_one_is_not() -> None:
    sick, well = (
        TABLE.format(scale=s) + LOOP.format(epochs=3) for s in ("", "table = (table - table.mean(0)) / table.std(0)")
    )
    finding = found(diagnose_code(sick, head=HEAD), FAULT)
    assert finding is not None
    assert finding.where.line == line_of(sick, "x = torch.tensor(table", head=HEAD)
    assert found(diagnose_code(well, head=HEAD), FAULT) is None


NORMALISED = """
net = nn.Sequential(nn.BatchNorm2d(1), nn.Flatten(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 4))
opt = torch.optim.Adam(net.parameters(), lr=3e-3)
"""
INSIDE = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(64, 32), nn.Linear(32, 4)
    def forward(self, x):
        return self.b(F.relu(self.a(x.flatten(1) / 255)))
net = Net()
opt = torch.optim.Adam(net.parameters(), lr=3e-3)
"""


@pytest.mark.parametrize(
    "source",
    [
        program(CLEAN),
        program(CLEAN.replace("torch.tensor(x)", "torch.tensor((x - 0.4) / 0.2)")),
        program(CLEAN.replace("torch.tensor(x)", "torch.tensor(16 * x)")),  # digits of 0 to 16: they train well
        program(RAW, net=NORMALISED),
        program(RAW, net=INSIDE),
    ],
)
def test_inputs_near_one_or_scaled_inside_are_let_be(source: str) -> None:
    assert found(diagnose_code(source, head=HEAD), FAULT) is None


def test_token_numbers_are_no_unscaled_input() -> None:
    source = """
    x, y = torch.randint(500, (64, 6)), torch.randint(2, (64,))
    net = nn.Sequential(nn.Embedding(500, 8), nn.Flatten(), nn.Linear(48, 2))
    opt = torch.optim.Adam(net.parameters())
    for step in range(12):
        opt.zero_grad()
        F.cross_entropy(net(x), y).backward()
        opt.step()
    """
    assert found(diagnose_code(source), FAULT) is None
