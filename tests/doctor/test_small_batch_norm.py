"""Batch norms over a few values are told; large batches, and norms of each sample, are not."""

import pytest
from planted import diagnose_code, found, line_of

PROGRAM = """
from torch.utils.data import DataLoader, TensorDataset
x, y = torch.randn(48, {shape}), torch.randint(4, (48,))
loader = DataLoader(TensorDataset(x, y), batch_size={batch}, shuffle=True)
net = nn.Sequential({layers})
opt = torch.optim.SGD(net.parameters(), lr=0.01)
for a, b in loader:
    opt.zero_grad()
    F.cross_entropy(net(a), b).backward()
    opt.step()
"""
FLAT = "nn.Linear(8, 16), {norm}, nn.ReLU(), nn.Linear(16, 4)"
MAPS = "nn.Conv2d(3, 8, 3), {norm}, nn.ReLU(), nn.Flatten(), nn.Linear(288, 4)"


def program(batch: int, layers: str, norm: str) -> str:
    shape = "8" if layers is FLAT else "3, 8, 8"
    return PROGRAM.format(shape=shape, batch=batch, layers=layers.format(norm=norm))


@pytest.mark.parametrize(
    ("batch", "layers", "norm"),
    [(2, FLAT, "nn.BatchNorm1d(16)"), (4, FLAT, "nn.BatchNorm1d(16)"), (1, MAPS, "nn.BatchNorm2d(8)")],
)
def test_tiny_batches(batch: int, layers: str, norm: str) -> None:
    sick = program(batch, layers, norm)
    finding = found(diagnose_code(sick), "small-batch-norm")
    assert finding is not None
    assert f"batches of {batch} sample" in finding.evidence
    assert (finding.where.layer, finding.where.line) == ("1", line_of(sick, "DataLoader(TensorDataset"))


def test_a_batch_of_one_that_the_norm_refused() -> None:
    finding = found(diagnose_code(program(47, FLAT, "nn.BatchNorm1d(16)")), "small-batch-norm")
    assert finding is not None
    assert finding.where.layer == "1"


@pytest.mark.parametrize(
    ("batch", "layers", "norm"),
    [
        (16, FLAT, "nn.BatchNorm1d(16)"),
        (2, FLAT, "nn.LayerNorm(16)"),
        (4, MAPS, "nn.BatchNorm2d(8)"),
        (1, MAPS, "nn.GroupNorm(2, 8)"),
    ],
)
def test_enough_values_are_let_be(batch: int, layers: str, norm: str) -> None:
    assert found(diagnose_code(program(batch, layers, norm)), "small-batch-norm") is None
