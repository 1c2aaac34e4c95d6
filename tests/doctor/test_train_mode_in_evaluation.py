"""Validation in training mode is named; Monte-Carlo dropout, training figures and sampling from a generator are not."""

import pytest
from planted import diagnose_code, found, line_of

PROGRAM = """
x = torch.randn(160, 8); y = (x[:, 0] + x[:, 1] > 0).long()
net = nn.Sequential(nn.Linear(8, 16), {layer}, nn.ReLU(), nn.Linear(16, 2))
opt = torch.optim.Adam(net.parameters(), lr=1e-2)

def validate():
    {mode}
    with torch.no_grad():
        return {value}

for epoch in range(4):
    net.train()
    for i in range(40, 160, 20):
        opt.zero_grad()
        F.cross_entropy(net(x[i:i + 20]), y[i:i + 20]).backward()
        opt.step()
    print('val', validate())
"""
ACCURACY = "(net(x[:40]).argmax(1) == y[:40]).float().mean().item()"


@pytest.mark.parametrize("layer", ["nn.Dropout(0.3)", "nn.BatchNorm1d(16)"])
def test_validation_in_training_mode_is_named(layer: str) -> None:
    program = PROGRAM.format(layer=layer, mode="pass", value=ACCURACY)
    finding = found(diagnose_code(program), "train-mode-in-evaluation")
    assert finding is not None
    assert finding.where.line is not None
    assert abs(finding.where.line - line_of(program, "def validate")) <= 2
    assert finding.where.layer == "1"
    assert "160 of 160" in finding.evidence


@pytest.mark.parametrize(
    ("layer", "mode", "value"),
    [
        ("nn.Dropout(0.3)", "net.eval()", ACCURACY),
        ("nn.Identity()", "pass", ACCURACY),
        # a figure of the training data, in training mode: it says what the training loss says
        ("nn.Dropout(0.3)", "pass", ACCURACY.replace("[:40]", "[40:]")),
        # Monte-Carlo dropout: passes over chance, averaged
        ("nn.Dropout(0.3)", "pass", "(sum(net(x[:40]) for _ in range(8)).argmax(1) == y[:40]).float().mean().item()"),
    ],
)
def test_what_is_right_or_meant_is_let_be(layer: str, mode: str, value: str) -> None:
    diagnosis = diagnose_code(PROGRAM.format(layer=layer, mode=mode, value=value))
    assert found(diagnosis, "train-mode-in-evaluation") is None


FUNCTIONAL = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(8, 32), nn.Linear(32, 2)

    def forward(self, x):
        h = F.dropout(F.relu(self.a(x)), 0.5{mode})
        return self.b(h)

x = torch.randn(160, 8); y = (x[:, 0] > 0).long()
net = Net()
opt = torch.optim.Adam(net.parameters(), lr=1e-2)
for epoch in range(4):
    net.train()
    for i in range(0, 120, 20):
        opt.zero_grad()
        F.cross_entropy(net(x[i:i + 20]), y[i:i + 20]).backward()
        opt.step()
    net.eval()
    with torch.no_grad():
        print(F.cross_entropy(net(x[120:]), y[120:]).item())
"""


def test_dropout_that_knows_no_mode_is_found_at_its_line() -> None:
    program = FUNCTIONAL.format(mode="")
    finding = found(diagnose_code(program), "train-mode-in-evaluation")
    assert finding is not None
    assert finding.where.line == line_of(program, "F.dropout")
    assert found(diagnose_code(FUNCTIONAL.format(mode=", self.training")), "train-mode-in-evaluation") is None


def test_samples_drawn_from_a_generator_in_training_mode_are_let_be() -> None:
    program = """
    g = nn.Sequential(nn.Linear(4, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 2))
    d = nn.Sequential(nn.Linear(2, 16), nn.LeakyReLU(), nn.Linear(16, 1))
    og, od = torch.optim.Adam(g.parameters(), 1e-3), torch.optim.Adam(d.parameters(), 1e-3)
    fixed = torch.randn(32, 4)
    for step in range(30):
        real, fake = torch.randn(32, 2), g(torch.randn(32, 4))
        one, zero = torch.ones(32, 1), torch.zeros(32, 1)
        b = F.binary_cross_entropy_with_logits
        ld = b(d(real), one) + b(d(fake.detach()), zero)
        od.zero_grad(); ld.backward(); od.step()
        lg = b(d(fake), one)
        og.zero_grad(); lg.backward(); og.step()
        if step % 10 == 0:
            with torch.no_grad():
                print(step, 'D', ld.item(), 'G', lg.item(), 'mean', g(fixed).mean().item())
    """
    diagnosis = diagnose_code(program)
    for fault in ("train-mode-in-evaluation", "constant-prediction", "precision-recall-imbalance", "wrong-metric"):
        assert found(diagnosis, fault) is None, fault
