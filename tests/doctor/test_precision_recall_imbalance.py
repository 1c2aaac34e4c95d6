"""Precision far from recall is named at the edge or the weight that makes it; balanced answers are not."""

import pytest
from planted import diagnose_code, found, line_of

PROGRAM = """
x = torch.randn(600, 6); y = (x[:, 0] + 0.7 * torch.randn(600) > 0.5).float()
net = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 1))
opt = torch.optim.Adam(net.parameters(), lr=1e-2)
criterion = nn.BCEWithLogitsLoss({weight})
for epoch in range(6):
    for i in torch.randperm(400).split(20):
        opt.zero_grad()
        criterion(net(x[i])[:, 0], y[i]).backward()
        opt.step()
    with torch.no_grad():
        p = torch.sigmoid(net(x[400:])[:, 0])
        criterion(net(x[400:])[:, 0], y[400:])
    said, true = p > {edge}, y[400:] == 1
    both = (said & true).sum().item()
    print('precision', both / max(1, said.sum().item()), 'recall', both / true.sum().item())
"""


def test_an_edge_far_from_a_half_is_found_at_its_line() -> None:
    program = PROGRAM.format(weight="", edge=0.98)
    finding = found(diagnose_code(program), "precision-recall-imbalance")
    assert finding is not None
    assert finding.where.line == line_of(program, "p > 0.98")


def test_a_lopsided_weight_is_found_at_the_loss() -> None:
    program = PROGRAM.format(weight="pos_weight=torch.tensor([60.0])", edge=0.5)
    finding = found(diagnose_code(program), "precision-recall-imbalance")
    assert finding is not None
    assert finding.where.line == line_of(program, "BCEWithLogitsLoss")


@pytest.mark.parametrize(("weight", "edge"), [("", 0.5), ("pos_weight=torch.tensor([2.0])", 0.5)])
def test_balanced_answers_are_let_be(weight: str, edge: float) -> None:
    assert found(diagnose_code(PROGRAM.format(weight=weight, edge=edge)), "precision-recall-imbalance") is None
