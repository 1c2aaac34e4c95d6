"""Batches of one or two whose noise drowns what they say are named; small batches at a small rate are not."""

import pytest
from planted import diagnose_code, found, line_of

PROGRAM = """
from torch.utils.data import DataLoader, TensorDataset
x = torch.randn(400, 16)
y = (x @ torch.randn(16, 4) + torch.randn(400, 4)).argmax(1)
loader = DataLoader(TensorDataset(x, y), batch_size={size}, shuffle=True)
net = nn.Sequential(nn.Linear(16, 32), {norm}nn.ReLU(), nn.Linear(32, 4))
opt = torch.optim.SGD(net.parameters(), lr={rate}, momentum=0.9)
for epoch in range(2):
    for a, b in loader:
        opt.zero_grad()
        F.cross_entropy(net(a), b).backward()
        opt.step()
"""


@pytest.mark.craft("TD15")
@pytest.mark.parametrize(("size", "norm"), [(1, ""), (2, "nn.BatchNorm1d(32), ")], ids=["one", "norm"])
def test_noise_that_drowns_the_signal_is_found(size: int, norm: str) -> None:
    program = PROGRAM.format(size=size, rate=0.1, norm=norm)
    finding = found(diagnose_code(program), "batch-too-small")
    assert finding is not None
    assert finding.where.line == line_of(program, "batch_size=")


@pytest.mark.parametrize(("size", "rate"), [(1, 0.002), (32, 0.1)], ids=["small rate", "usual batch"])
def test_what_learns_is_let_be(size: int, rate: float) -> None:
    assert found(diagnose_code(PROGRAM.format(size=size, rate=rate, norm="")), "batch-too-small") is None
