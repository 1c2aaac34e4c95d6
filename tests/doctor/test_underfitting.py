"""A network that cannot express what its data hold is named; one that meets noise is not."""

import pytest
from planted import diagnose_code, found

PROGRAM = """
a = torch.rand(400) * 6.2832; y = torch.randint(2, (400,))
x = torch.stack([a.cos(), a.sin()], 1) * (1 + y[:, None]) + 0.1 * torch.randn(400, 2)
net = {net}
opt = torch.optim.Adam(net.parameters(), lr=2e-2)
for epoch in range(15):
    for i in torch.randperm(400).split(20):
        opt.zero_grad()
        loss = F.cross_entropy(net(x[i]), {labels}[i])
        loss.backward()
        opt.step()
"""


def test_a_network_too_small_for_rings_is_named() -> None:
    finding = found(diagnose_code(PROGRAM.format(net="nn.Linear(2, 2)", labels="y")), "underfitting")
    assert finding is not None
    assert "nearest neighbours" in finding.evidence


@pytest.mark.parametrize(
    ("net", "labels"),
    [
        ("nn.Sequential(nn.Linear(2, 32), nn.ReLU(), nn.Linear(32, 2))", "y"),
        ("nn.Linear(2, 2)", "torch.randint(2, (400,), generator=torch.Generator().manual_seed(1))"),  # nothing to learn
    ],
)
def test_what_fits_or_cannot_be_learnt_is_let_be(net: str, labels: str) -> None:
    assert found(diagnose_code(PROGRAM.format(net=net, labels=labels)), "underfitting") is None


REGRESSION = """
x = torch.rand(400, 1) * 6.2832; y = {target}
net = {net}
opt = torch.optim.Adam(net.parameters(), lr=1e-2)
for epoch in range(30):
    for i in torch.randperm(400).split(20):
        opt.zero_grad()
        F.mse_loss(net(x[i]), y[i]).backward()
        opt.step()
"""


def test_a_line_for_a_wave_is_named_and_a_line_for_a_line_is_not() -> None:
    wave = REGRESSION.format(target="torch.sin(3 * x)", net="nn.Linear(1, 1)")
    assert found(diagnose_code(wave), "underfitting") is not None
    line = REGRESSION.format(target="0.5 * x + 0.1 * torch.randn(400, 1)", net="nn.Linear(1, 1)")
    assert found(diagnose_code(line), "underfitting") is None
