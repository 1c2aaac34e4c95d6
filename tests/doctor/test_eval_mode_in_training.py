"""Updates made in evaluation mode are named at the call of eval(); attacks, frozen norms and networks without modes are not."""

import pytest
from planted import diagnose_code, found, line_of

PROGRAM = """
x = torch.randn(160, 8); y = (x[:, 0] + x[:, 1] > 0).long()
net = nn.Sequential(nn.Linear(8, 16), {layer}, nn.ReLU(), nn.Linear(16, 2))
opt = torch.optim.Adam(net.parameters(), lr=1e-2)

def validate():
    net.eval()
    with torch.no_grad():
        return (net(x[:40]).argmax(1) == y[:40]).float().mean().item()

for epoch in range(4):
    {train}
    for i in range(40, 160, 20):
        opt.zero_grad()
        F.cross_entropy(net(x[i:i + 20]), y[i:i + 20]).backward()
        opt.step()
    print(validate())
"""


@pytest.mark.parametrize("layer", ["nn.Dropout(0.3)", "nn.BatchNorm1d(16)"])
def test_a_network_left_in_evaluation_mode_is_named(layer: str) -> None:
    program = PROGRAM.format(layer=layer, train="pass")
    finding = found(diagnose_code(program), "eval-mode-in-training")
    assert finding is not None
    assert finding.where.line == line_of(program, "net.eval()")
    assert finding.where.layer == "1"
    assert "18 of 24" in finding.evidence  # all epochs but the first


@pytest.mark.parametrize(
    ("layer", "train"),
    [
        ("nn.Dropout(0.3)", "net.train()"),
        ("nn.Identity()", "pass"),  # nothing here asks for its mode
        ("nn.Dropout(0.0)", "pass"),
        ("nn.BatchNorm1d(16)", "net.train(); net[1].eval()"),  # a norm layer frozen on purpose
    ],
)
def test_the_right_mode_is_let_be(layer: str, train: str) -> None:
    assert found(diagnose_code(PROGRAM.format(layer=layer, train=train)), "eval-mode-in-training") is None


def test_gradients_asked_for_in_evaluation_without_an_update_are_let_be() -> None:
    program = PROGRAM.format(layer="nn.Dropout(0.3)", train="net.train()") + (
        "    net.eval()\n    z = x[:20].clone().requires_grad_()\n    for _ in range(20):\n"
        "        F.cross_entropy(net(z), y[:20]).backward()\n"
    )
    assert found(diagnose_code(program), "eval-mode-in-training") is None
