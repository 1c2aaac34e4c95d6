"""The logarithm of zero is named at its line; finite inputs, and gaps that the network fills, are not."""

import pytest
from data_programs import CLEAN, HEAD, program
from planted import diagnose_code, found, line_of

FAULT = "non-finite-input"
LOGS = CLEAN.replace("torch.tensor(x)", "torch.log(torch.tensor(x))")
FILLS = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(64, 4)
    def forward(self, x):
        return self.a(torch.nan_to_num(x.flatten(1), 0.0, 0.0, 0.0))
net = Net()
opt = torch.optim.Adam(net.parameters(), lr=3e-3)
"""


@pytest.mark.craft("TD02")
def test_the_logarithm_of_zero_is_named() -> None:
    source = program(LOGS, epochs=2)
    finding = found(diagnose_code(source, head=HEAD), FAULT)
    assert finding is not None
    assert finding.where.line == line_of(source, "torch.log", head=HEAD)


@pytest.mark.craft("TD02")
def test_a_single_gap_is_seen() -> None:
    source = program(CLEAN + "xtr[17, 0, 3, 3] = float('nan')\n", epochs=2)
    finding = found(diagnose_code(source, head=HEAD), FAULT)
    assert finding is not None
    assert finding.where.line == line_of(source, "float('nan')", head=HEAD)


@pytest.mark.parametrize(
    "source",
    [
        program(CLEAN, epochs=2),
        program(LOGS.replace("torch.log", "torch.log1p"), epochs=2),
        program(LOGS, net=FILLS, epochs=2),
    ],
)
def test_finite_inputs_and_filled_gaps_are_let_be(source: str) -> None:
    assert found(diagnose_code(source, head=HEAD), FAULT) is None
