"""Edits against gradients that vanish or explode, units that are stuck, and losses that are no number: the exact text."""

import pytest
from patched import changed, patched

DEEP = """
x, y = torch.randn(32, 8), torch.randint(3, (32,))
net = nn.Sequential(
    nn.Linear(8, 16), nn.{act},
    nn.Linear(16, 16), nn.{act},  # second
    nn.Linear(16, 3),
)
opt = torch.optim.SGD(net.parameters(), lr=0.1)
for step in range(3):
    opt.zero_grad()
    F.cross_entropy(net(x), y).backward()
    opt.step()  # update
"""

CALLED = """
x, y = torch.randn(32, 8), torch.randint(2, (32, 1)).float()
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(8, 16), nn.Linear(16, 16)
        self.out = nn.Linear(16, 1)
        self.a.bias.data.fill_(-9.0)  # sparse
    def forward(self, x):
        x = {act}(self.a(x))
        x = {act}(self.b(x))
        return torch.sigmoid(self.out(x))
net = Net()
opt = torch.optim.SGD(net.parameters(), lr=0.1)
for step in range(3):
    opt.zero_grad()
    F.binary_cross_entropy(net(x), y).backward()
    opt.step()
"""

CELL = """
x, y = torch.randn(32, 12, 2), torch.randint(3, (32,))
class Cell(nn.Module):
    def __init__(self):
        super().__init__()
        self.w, self.u, self.out = nn.Linear(2, 8), nn.Linear(8, 8), nn.Linear(8, 3)
        self.u.weight.data = 2 * torch.randn(8, 8)
    def forward(self, x):
        h = torch.zeros(len(x), 8)
        for t in range(12):
            h = {act}(self.w(x[:, t]) + self.u(h))
        return self.out(h)
net = Cell()
opt = torch.optim.SGD(net.parameters(), lr=1e-5)
for step in range(3):
    opt.zero_grad()
    F.cross_entropy(net(x), y).backward()
    opt.step()
"""

OWN_LOSS = """
x, y = torch.randn(32, 8), torch.randint(2, (32,)).float()
net = nn.Linear(8, 1)
opt = torch.optim.SGD(net.parameters(), lr=0.01)
for step in range(2):
    out = net(x).squeeze(1)
    p = torch.sigmoid(out)
    loss = {loss}  # own
    opt.zero_grad()
    loss.backward()
    opt.step()
"""


@pytest.mark.parametrize("act", ["Sigmoid()", "Tanh()"])
def test_relu_for_squashing_modules(act: str) -> None:
    program = DEEP.format(act=act)
    assert patched(program, "vanishing-gradient", "nn.Linear(8", layer="0") == program.replace(act, "ReLU()")


def test_relu_for_functions_but_not_at_the_output() -> None:
    program = CALLED.format(act="torch.sigmoid")
    after = patched(program, "vanishing-gradient", "self.a(x)", layer="a")
    assert after == changed(
        program,
        ("torch.sigmoid(self.a(x))", "torch.relu(self.a(x))"),
        ("torch.sigmoid(self.b(x))", "torch.relu(self.b(x))"),
    )


def test_norms_between_the_layers() -> None:
    program = DEEP.format(act="Tanh()")
    after = patched(program, "vanishing-gradient", "nn.Linear(8", layer="0", which=2)
    assert after == changed(
        program, ("nn.Linear(8, 16), ", "nn.Linear(8, 16), nn.BatchNorm1d(16), "),
        ("nn.Linear(16, 16), ", "nn.Linear(16, 16), nn.BatchNorm1d(16), "),
    )  # fmt: skip


def test_tanh_in_a_cell_and_an_orthogonal_start() -> None:
    program = CELL.format(act="torch.sigmoid")
    after = patched(program, "vanishing-gradient", "torch.sigmoid", layer="u")
    assert after == changed(program, ("torch.sigmoid", "torch.tanh"))
    after = patched(program, "vanishing-gradient", "torch.sigmoid", layer="u", which=1)
    assert after == changed(program, ("opt = torch", "nn.init.orthogonal_(net.u.weight)\nopt = torch"))


def test_gates_for_a_plain_recurrent_layer() -> None:
    program = """
    x, y = torch.randn(8, 20, 2), torch.randn(8, 4)
    rnn = nn.RNN(2, 4, nonlinearity="tanh", batch_first=True)  # reads
    opt = torch.optim.SGD(rnn.parameters(), lr=0.01)
    for step in range(2):
        opt.zero_grad()
        F.mse_loss(rnn(x)[0][:, -1], y).backward()
        opt.step()
    """
    after = patched(program, "vanishing-gradient", "nn.RNN", evidence="of the 20 steps")
    assert after == changed(
        program.replace("\n    ", "\n"), ('nn.RNN(2, 4, nonlinearity="tanh", ', "nn.GRU(2, 4, ")
    ).rstrip(" ")


def test_an_orthogonal_start_for_a_matrix_that_stretches() -> None:
    program = CELL.format(act="torch.relu")
    after = patched(program, "exploding-gradient", "self.u(h)", layer="w")
    assert after == changed(
        program, ("self.u.weight.data = 2 * torch.randn(8, 8)", "nn.init.orthogonal_(self.u.weight)")
    )


def test_clipping_before_the_step() -> None:
    program = DEEP.format(act="ReLU()")
    after = patched(program, "exploding-gradient", "opt.step", layer="0")
    clip = "    torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)\n"
    assert after == changed(program, ("    opt.step()", f"{clip}    opt.step()"))


def test_clipping_divides_what_a_scaler_multiplied() -> None:
    program = DEEP.format(act="ReLU()").replace(
        "F.cross_entropy(net(x), y).backward()", "s.scale(F.cross_entropy(net(x), y)).backward()"
    )
    program = program.replace("opt.step()", "s.step(opt)\n    s.update()").replace(
        "for step", "s = torch.amp.GradScaler('cpu')\nfor step"
    )
    after = patched(program, "exploding-gradient", "s.step", layer="0")
    clip = "    s.unscale_(opt)\n    torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)\n"
    assert after == changed(program, ("    s.step(opt)", f"{clip}    s.step(opt)"))


def test_clipping_where_the_network_has_another_name() -> None:
    program = """
    x, y = torch.randn(32, 8), torch.randint(3, (32,))
    def update(opt, loss):
        opt.zero_grad()
        loss.backward()
        opt.step()
    def main():
        net = nn.Linear(8, 3)
        adam = torch.optim.Adam(net.parameters())
        for step in range(2):
            update(adam, F.cross_entropy(net(x), y))
    main()
    """
    after = patched(program, "exploding-gradient", "opt.step")
    assert "    torch.nn.utils.clip_grad_norm_(opt.param_groups[0]['params'], 1.0)\n    opt.step()\n" in after


# ---- stuck units


def test_biases_at_zero() -> None:
    program = CALLED.format(act="torch.relu")
    after = patched(program, "dead-relu", "fill_", layer="a", evidence="the bias of a starts at -9")
    assert after == changed(program, ("self.a.bias.data.fill_(-9.0)", "nn.init.zeros_(self.a.bias)"))


@pytest.mark.parametrize(
    ("act", "new"),
    [
        ("F.relu({})", "F.leaky_relu({}, 0.1)"),
        ("torch.relu({})", "F.leaky_relu({}, 0.1)"),
        ("{}.relu()", "F.leaky_relu({}, 0.1)"),
    ],
)
def test_a_slope_below_zero_for_functions(act: str, new: str) -> None:
    program = CALLED.format(act="ACT").replace(".fill_(-9.0)", ".zero_()")
    old, text = program, program
    for layer in ("self.a(x)", "self.b(x)"):
        old = old.replace(f"ACT({layer})", act.replace("{}", layer))
        text = text.replace(f"ACT({layer})", new.replace("{}", layer))
    assert patched(old, "dead-relu", "self.a(x)", layer="a", which=1) == text


@pytest.mark.parametrize(
    ("act", "new"), [("ReLU()", "LeakyReLU(0.1)"), ("ReLU(inplace=True)", "LeakyReLU(0.1, inplace=True)")]
)
def test_a_slope_below_zero_for_modules(act: str, new: str) -> None:
    program = DEEP.format(act=act)
    assert patched(program, "dead-relu", "nn.Linear(8", layer="1", which=1) == program.replace(act, new)


def test_an_activation_that_is_handed_on() -> None:
    program = """
    x, y = torch.randn(32, 8), torch.randint(3, (32,))
    class Net(nn.Module):
        def __init__(self, act=nn.Tanh):  # smooth
            super().__init__()
            self.a, self.b, self.act = nn.Linear(8, 16), nn.Linear(16, 3), act()
        def forward(self, x):
            return self.b(self.act(90 * self.a(x)))
    net = Net()
    opt = torch.optim.SGD(net.parameters(), lr=0.01)
    for step in range(2):
        opt.zero_grad()
        F.cross_entropy(net(x), y).backward()
        opt.step()
    """
    after = patched(program, "saturated-activation", "act()", layer="act", which=1)
    assert "act=nn.ReLU):  # smooth" in after
    assert "nn.Tanh" not in after


def test_a_lower_rate_first_where_units_saturate_later() -> None:
    program = DEEP.format(act="Tanh()")
    after = patched(program, "saturated-activation", "nn.Linear(8", layer="1")
    assert after == changed(program, ("lr=0.1", "lr=0.01"))


# ---- losses that are no number


@pytest.mark.parametrize(
    ("loss", "which", "new"),
    [
        ("torch.sqrt((out ** 2)).mean()", 0, "torch.sqrt((out ** 2) + 1e-8).mean()"),
        ("(out ** 2).sqrt().mean()", 0, "(out ** 2 + 1e-8).sqrt().mean()"),
        ("(out.abs() ** 0.5).mean()", 0, "((out.abs() + 1e-8) ** 0.5).mean()"),
        ("(out ** 2).sqrt().mean()", 1, "(out ** 2).clamp(min=1e-8).sqrt().mean()"),
        ("-(y * torch.log(p) + (1 - y) * torch.log(1 - p)).mean()", 1,
         "-(y * torch.log(p.clamp(min=1e-7)) + (1 - y) * torch.log((1 - p).clamp(min=1e-7))).mean()"),
        ("-(y * p.log()).mean()", 0, "-(y * (p + 1e-7).log()).mean()"),
        ("(out * y).sum() / y.sum()", 0, "(out * y).sum() / (y.sum() + 1e-8)"),
        ("(out / 4.0 + torch.acos(p)).mean()", 0, "(out / 4.0 + torch.acos(p.clamp(-1 + 1e-6, 1 - 1e-6))).mean()"),
        ("-torch.log(torch.sigmoid(out)).mean()", 0, "-F.logsigmoid(out).mean()"),
        ("-torch.log(F.softmax(net(x), dim=1)).mean()", 0, "-F.log_softmax(net(x), dim=1).mean()"),
        ("torch.log(torch.exp(net(x)).sum(1)).mean()", 0, "torch.logsumexp(net(x), 1).mean()"),
    ],
)  # fmt: skip
def test_kept_off_the_edge(loss: str, which: int, new: str) -> None:
    program = OWN_LOSS.format(loss=loss)
    after = patched(program, "non-finite-loss", "loss = ", which=which, evidence="the gradient is not finite")
    assert after == changed(program, (loss, new))


def test_the_largest_value_subtracted_before_the_exponential() -> None:
    program = OWN_LOSS.format(loss="(e / e.sum(1, keepdim=True)).mean()").replace(
        "    p = ", "    e = torch.exp(3 * net(x))\n    p = "
    )
    program = program.replace("    p = torch.sigmoid(out)\n", "")
    after = patched(program, "non-finite-loss", "torch.exp", evidence="the gradient is not finite")
    assert after == changed(
        program, ("torch.exp(3 * net(x))", "torch.exp((3 * net(x)) - (3 * net(x)).amax(1, keepdim=True))")
    )


def test_batches_without_a_number_are_left_out() -> None:
    program = OWN_LOSS.format(loss="F.binary_cross_entropy(p, y)")
    after = patched(program, "non-finite-loss", "loss = ", evidence="the loss is not finite")
    assert after == changed(
        program, ("    loss.backward()", "    if not torch.isfinite(loss):\n        continue\n    loss.backward()")
    )
