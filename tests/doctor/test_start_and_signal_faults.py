"""Weights at the start, and the signal and its gradient on their way: each fires when planted, and not on its healthy twin."""

import pytest
from planted import diagnose_code, found, line_of

TRAIN = """
x = torch.randn(256, 16)
y = x[:, :4].argmax(1)
opt = torch.optim.SGD(net.parameters(), lr={lr}, momentum=0.9)
for step in range({steps}):
    opt.zero_grad()
    loss = F.cross_entropy(net(x), y)
    loss.backward()
    opt.step()
"""
DEEP = """
def block(n_in, n_out):
    return [nn.Linear(n_in, n_out), {activation}()]

net = nn.Sequential(*block(16, 32), *[m for _ in range({depth}) for m in block(32, 32)], nn.Linear(32, 4))
for layer in net:
    if isinstance(layer, nn.Linear):
        {start}
"""


def program(start: str = "pass", activation: str = "nn.ReLU", depth: int = 3, lr: float = 0.05, steps: int = 15) -> str:
    return DEEP.format(start=start, activation=activation, depth=depth) + TRAIN.format(lr=lr, steps=steps)


@pytest.mark.craft("TD09")
@pytest.mark.parametrize(
    ("fault", "start"),
    [
        ("zero-init", "nn.init.zeros_(layer.weight)"),
        ("zero-init", "nn.init.constant_(layer.weight, 0.02)"),
        ("init-too-large", "nn.init.normal_(layer.weight, std=1.5)"),
        ("init-too-small", "nn.init.normal_(layer.weight, std=0.003)"),
    ],
)
def test_a_bad_start_is_named_at_its_line(fault: str, start: str) -> None:
    source = program(start)
    finding = found(diagnose_code(source), fault)
    assert finding is not None
    assert finding.where.line == line_of(source, "nn.init")


@pytest.mark.parametrize(
    "start",
    [
        "pass",
        "nn.init.kaiming_normal_(layer.weight)",
        "nn.init.xavier_uniform_(layer.weight)",
        "nn.init.orthogonal_(layer.weight)",
        "nn.init.trunc_normal_(layer.weight, std=0.1)",
    ],
)
def test_the_usual_starts_are_let_be(start: str) -> None:
    diagnosis = diagnose_code(program(start))
    assert [found(diagnosis, fault) for fault in ("zero-init", "init-too-large", "init-too-small")] == [None] * 3


def test_a_last_layer_or_a_residual_branch_that_starts_at_zero_is_let_be() -> None:
    head = program("pass").replace("\nx = torch", "\nnn.init.zeros_(net[-1].weight)\nx = torch")
    assert found(diagnose_code(head), "zero-init") is None
    branch = """
class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(16, 16), nn.Linear(16, 16)
        nn.init.zeros_(self.b.weight)

    def forward(self, x):
        return x + self.b(torch.relu(self.a(x)))

net = nn.Sequential(Block(), Block(), nn.Linear(16, 4))
"""
    assert found(diagnose_code(branch + TRAIN.format(lr=0.05, steps=15)), "zero-init") is None


@pytest.mark.craft("TD08", "TD16")
def test_vanishing_gradients_of_deep_sigmoids_are_named_and_relu_is_let_be() -> None:
    sick = found(
        diagnose_code(program("nn.init.xavier_uniform_(layer.weight)", "nn.Sigmoid", depth=9)), "vanishing-gradient"
    )
    assert sick is not None
    assert any("ReLU" in remedy.change for remedy in sick.remedies)
    well = diagnose_code(program("nn.init.kaiming_normal_(layer.weight)", "nn.ReLU", depth=9, lr=0.02, steps=60))
    assert found(well, "vanishing-gradient") is None


RECURRENT = """
class Cell(nn.Module):
    def __init__(self):
        super().__init__()
        self.w, self.u = nn.Linear(4, 24), nn.Linear(24, 24)
        {start}

    def forward(self, x, h):
        return {activation}(self.w(x) + self.u(h))

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.cell, self.head = Cell(), nn.Linear(24, 4)

    def forward(self, x):
        h = x.new_zeros(len(x), 24)
        for part in x.unbind(1):
            h = self.cell(part, h)
        return self.head(h)

net = Net()
x = torch.randn(64, 25, 4) * 0.3
y = x[:, 0].argmax(1)
opt = torch.optim.Adam(net.parameters(), lr=1e-3)
for step in range(12):
    loss = F.cross_entropy(net(x), y)
    opt.zero_grad()
    loss.backward()
    opt.step()
"""


def test_gradients_that_vanish_or_explode_in_time_are_told_apart() -> None:
    start = "nn.init.orthogonal_(self.u.weight)"
    lost = found(diagnose_code(RECURRENT.format(start=start, activation="torch.sigmoid")), "vanishing-gradient")
    assert lost is not None
    assert lost.where.layer == "cell"
    blown = RECURRENT.format(start="nn.init.orthogonal_(self.u.weight, gain=1.9)", activation="torch.relu")
    assert found(diagnose_code(blown), "exploding-gradient") is not None
    well = diagnose_code(RECURRENT.format(start=start, activation="torch.tanh"))
    assert found(well, "vanishing-gradient") is None
    assert found(well, "exploding-gradient") is None


ROOT = """
net = nn.Linear(4, 4)
x = torch.randn(32, 4)
x[:4] = 0
opt = torch.optim.SGD(net.parameters(), lr=0.1)
net.bias.data.zero_()
for step in range(12):
    distance = (net(x) ** 2).sum(1){edge}
    length = torch.sqrt(distance)
    loss = length.mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
"""


@pytest.mark.craft("TD08")
def test_a_root_at_zero_is_found_at_its_line() -> None:
    source = ROOT.format(edge="")
    finding = found(diagnose_code(source), "non-finite-loss")
    assert finding is not None
    assert finding.where.line == line_of(source, "torch.sqrt")
    assert found(diagnose_code(ROOT.format(edge=" + 1e-8")), "non-finite-loss") is None


@pytest.mark.craft("TD08")
def test_dead_units_are_counted_and_sparse_ones_let_be() -> None:
    dead = program("nn.init.constant_(layer.bias, -8.0 if layer.out_features == 32 else 0.0)")
    finding = found(diagnose_code(dead), "dead-relu")
    assert finding is not None
    assert "100%" in finding.evidence
    assert found(diagnose_code(program("nn.init.kaiming_normal_(layer.weight)", steps=40)), "dead-relu") is None


def test_saturated_units_are_found_and_usual_ones_let_be() -> None:
    sick = program("nn.init.normal_(layer.weight, std=2.0)", "nn.Tanh")
    assert found(diagnose_code(sick), "saturated-activation") is not None
    well = program("nn.init.xavier_uniform_(layer.weight)", "nn.Tanh", steps=40)
    assert found(diagnose_code(well), "saturated-activation") is None


@pytest.mark.craft("TD10")
def test_a_plain_network_of_fifty_layers_is_flagged_and_shortcuts_help() -> None:
    from osler.doctor.fault import all_checks

    sick = diagnose_code(program("pass", depth=48, steps=8))
    finding = found(sick, "too-deep-plain")
    assert finding is not None
    assert any(
        "residual" in r.change.lower() or "shortcut" in r.change.lower()
        for r in all_checks()["too-deep-plain"].fault.remedies
    )
