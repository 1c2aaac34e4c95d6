"""Batches in label order are named at the loader or the loop; shuffled ones, a GAN's and balanced samplers are not."""

import pytest
from data_programs import HEAD, LOOP, NET, PICTURES, program
from planted import diagnose_code, found, line_of

FAULT = "not-shuffled"
SORTED = """
x, y = pictures(400, 1)
order = np.argsort(y, kind="stable")
xtr, ytr = torch.tensor(x[order]), torch.tensor(y[order])
x, y = pictures(100, 2)
xte, yte = torch.tensor(x), torch.tensor(y)
"""
LOADER = """
loader = DataLoader(TensorDataset(xtr, ytr), batch_size=16{shuffle})
for epoch in range(4):
    for a, b in loader:
        opt.zero_grad()
        F.cross_entropy(net(a), b).backward()
        opt.step()
"""


def test_a_loader_in_label_order_is_named_and_a_shuffled_one_is_not() -> None:
    sick, well = (program(SORTED, loop=LOADER.replace("{shuffle}", s)) for s in ("", ", shuffle=True"))
    finding = found(diagnose_code(sick, head=HEAD), FAULT)
    assert finding is not None
    assert finding.where.line == line_of(sick, "loader = DataLoader", head=HEAD)
    assert found(diagnose_code(well, head=HEAD), FAULT) is None


def test_slices_in_label_order_are_named() -> None:
    source = program(
        SORTED, loop=LOOP.replace("torch.randperm(len(xtr)).split(32)", "torch.arange(len(xtr)).split(32)")
    )
    finding = found(diagnose_code(source, head=HEAD), FAULT)
    assert finding is not None
    assert finding.where.line == line_of(source, "torch.arange", head=HEAD)


GAN = """
G, D = nn.Linear(2, 2), nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, 1))
og, od = torch.optim.Adam(G.parameters(), lr=1e-3), torch.optim.Adam(D.parameters(), lr=1e-3)
bce = nn.BCEWithLogitsLoss()
for step in range(60):
    real, fake = torch.randn(32, 2) + 1, G(torch.randn(32, 2))
    od.zero_grad()
    for sample, label in ((real, 1.0), (fake.detach(), 0.0)):
        bce(D(sample), torch.full((32, 1), label)).backward()
    od.step()
    og.zero_grad()
    bce(D(fake), torch.ones(32, 1)).backward()
    og.step()
"""
TWO_CLASSES_A_BATCH = (
    NET
    + """
for step in range(60):
    chosen = torch.randperm(4)[:2]
    idx = torch.cat([torch.where(ytr == c)[0][torch.randperm(60)[:8]] for c in chosen])
    opt.zero_grad()
    F.cross_entropy(net(xtr[idx]), ytr[idx]).backward()
    opt.step()
"""
)
UNORDERED = program(
    SORTED.replace('np.argsort(y, kind="stable")', "np.arange(len(y))"), loop=LOADER.replace("{shuffle}", "")
)


@pytest.mark.parametrize("source", [GAN, PICTURES + SORTED + TWO_CLASSES_A_BATCH, UNORDERED])
def test_other_reasons_for_few_classes_a_batch_are_let_be(source: str) -> None:
    assert found(diagnose_code(source, head=HEAD), FAULT) is None
