"""A rare class that is left out is named; weights, a sampler, or a rare class that is recognised are not."""

import pytest
from data_programs import HEAD
from planted import diagnose_code, found, line_of

FAULT = "class-imbalance"
PROGRAM = """
def draw(n, rare, seed):
    g = torch.Generator().manual_seed(seed)
    y = (torch.arange(n) < rare).long()
    return torch.randn(n, 6, generator=g) + {apart} * y[:, None], y
train, test = TensorDataset(*draw(600, 20, 1)), TensorDataset(*draw(200, 100, 2))
loader = DataLoader(train, batch_size=32, {order})
net = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 2))
opt = torch.optim.Adam(net.parameters(), lr=3e-3)
criterion = nn.CrossEntropyLoss({weight})
for epoch in range(4):
    for x, y in loader:
        opt.zero_grad()
        criterion(net(x), y).backward()
        opt.step()
    with torch.no_grad():
        right = sum((net(x).argmax(1) == y).sum().item() for x, y in DataLoader(test, batch_size=100))
"""
SAMPLER = (
    "sampler=torch.utils.data.WeightedRandomSampler(torch.tensor([1 / 580, 1 / 20]).double()[train.tensors[1]], 600)"
)


def test_a_rare_class_that_is_left_out_is_named_at_the_loader() -> None:
    source = PROGRAM.format(apart=0.7, order="shuffle=True", weight="")
    finding = found(diagnose_code(source, head=HEAD), FAULT)
    assert finding is not None
    assert finding.where.line == line_of(source, "loader = DataLoader", head=HEAD)
    assert "29 times" in finding.evidence


@pytest.mark.parametrize(
    ("apart", "order", "weight"),
    [
        (0.7, "shuffle=True", "weight=torch.tensor([1.0, 29.0])"),
        (0.7, SAMPLER, ""),
        (6.0, "shuffle=True", ""),  # so far apart that the rare class is found all the same
    ],
)
def test_balanced_or_recognised_classes_are_let_be(apart: float, order: str, weight: str) -> None:
    assert found(diagnose_code(PROGRAM.format(apart=apart, order=order, weight=weight), head=HEAD), FAULT) is None
