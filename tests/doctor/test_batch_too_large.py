"""A run of a few huge batches that ends while it is learning is named; full batches that converge are not."""

import pytest
from planted import diagnose_code, found, line_of

PROGRAM = """
from torch.utils.data import DataLoader, TensorDataset
x = torch.randn(1024, 16)
y = (x @ torch.randn(16, 4)).argmax(1)
SIZE = {size}
loader = DataLoader(TensorDataset(x, y), batch_size=SIZE, shuffle=True)
net = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 4))
opt = torch.optim.Adam(net.parameters(), lr={rate})
for epoch in range({epochs}):
    for a, b in loader:
        opt.zero_grad()
        F.cross_entropy(net(a), b).backward()
        opt.step()
"""


@pytest.mark.craft("TD05", "TD15")
@pytest.mark.parametrize("size", [512, 1024])
def test_a_handful_of_updates_is_found(size: int) -> None:
    program = PROGRAM.format(size=size, rate=1e-3, epochs=15)
    finding = found(diagnose_code(program), "batch-too-large")
    assert finding is not None
    assert finding.where.line == line_of(program, "SIZE =")
    assert f"{15 * 1024 // size:,}; the loss" in finding.evidence


@pytest.mark.parametrize(("size", "rate", "epochs"), [(32, 1e-3, 4), (1024, 3e-2, 80)], ids=["small", "converges"])
def test_many_updates_or_a_run_that_converges_are_let_be(size: int, rate: float, epochs: int) -> None:
    assert found(diagnose_code(PROGRAM.format(size=size, rate=rate, epochs=epochs)), "batch-too-large") is None
