"""Edits of hidden layers: the exact text after them."""

import pytest
from patched import changed, patched

CHAIN = """
x, y = torch.randn(32, 8), torch.randint(3, (32,))
net = nn.Sequential(
    nn.Linear(8, 16),  # in
    {middle}
    nn.Linear(16, 3),
)
opt = torch.optim.SGD(net.parameters(), lr=0.1)
for step in range(3):
    opt.zero_grad()
    F.cross_entropy(net(x), y).backward()
    opt.step()
"""

CALLED = """
RATE = {rate}
x, y = torch.randn(32, 8), torch.randint(3, (32,))
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(8, 16)
        self.norm = nn.BatchNorm1d(16)
        self.b = nn.Linear(16, 3)
        self.drop = nn.Dropout(p=RATE)
    def forward(self, x):
        # one hidden layer
        {first}
        {last}
net = Net()
opt = torch.optim.SGD(net.parameters(), lr=0.1)
for step in range(3):
    opt.zero_grad()
    F.cross_entropy(net(x), y).backward()
    opt.step()
"""

TOWER = """
x, y = torch.randn(32, 8), torch.randint(3, (32,))
class Tower(nn.Module):
    def __init__(self, depth=24):
        super().__init__()
        self.inp = nn.Linear(8, 8)
        self.hidden = nn.ModuleList([nn.Linear(8, 8) for _ in range(depth)])
        self.out = nn.Linear(8, 3)
    def forward(self, x):
        x = torch.relu(self.inp(x))
        for layer in self.hidden:
            x = {step}
        return self.out(x)
net = Tower()
opt = torch.optim.SGD(net.parameters(), lr=0.1)
for step in range(2):
    opt.zero_grad()
    F.cross_entropy(net(x), y).backward()
    opt.step()
"""


def test_an_activation_in_a_sequential() -> None:
    program = CHAIN.format(middle="nn.Linear(16, 16),")
    after = patched(program, "missing-nonlinearity", "nn.Linear(8", layer="0")
    assert after == changed(
        program, ("    nn.Linear(8, 16),  # in\n", "    nn.Linear(8, 16),  # in\n    nn.ReLU(),\n"),
        ("    nn.Linear(16, 16),\n", "    nn.Linear(16, 16),\n    nn.ReLU(),\n"),
    )  # fmt: skip


def test_an_activation_in_a_list_on_one_line_and_in_forward() -> None:
    program = (
        CHAIN.format(middle="")
        .replace("nn.Sequential(\n    nn", "nn.Sequential(*[nn")
        .replace("),  # in\n    \n    nn", "), nn")
    )
    program = program.replace("3),\n)", "3)])")
    after = patched(program, "missing-nonlinearity", "nn.Linear(8", layer="0")
    assert after == changed(program, ("nn.Linear(8, 16), ", "nn.Linear(8, 16), nn.ReLU(), "))
    program = CALLED.format(rate=0.5, first="x = self.a(x)", last="return self.b(x)")
    after = patched(program, "missing-nonlinearity", "self.a(x)", layer="a")
    assert after == changed(program, ("x = self.a(x)", "x = torch.relu(self.a(x))"))


def test_an_activation_where_a_loop_calls_the_layers() -> None:
    program = TOWER.format(step="layer(x)").replace("depth=24", "depth=2")
    after = patched(program, "missing-nonlinearity", "layer(x)", layer="hidden.0")
    made = "nn.Linear(8, 8) for"
    assert after == changed(program, (made, "nn.Sequential(nn.Linear(8, 8), nn.ReLU()) for"))


def test_an_activation_between_products() -> None:
    program = """
    x, y = torch.randn(32, 8), torch.randint(3, (32,))
    w1, w2 = torch.randn(8, 16, requires_grad=True), torch.randn(16, 3, requires_grad=True)
    for step in range(3):
        h = x @ w1 + 1
        loss = F.cross_entropy(h @ w2, y)
        loss.backward()
    """
    after = patched(program, "missing-nonlinearity", "x @ w1")
    assert after == changed(program, ("x @ w1 + 1", "torch.relu(x @ w1 + 1)"))


def test_dropout_leaves_the_output() -> None:
    program = CALLED.format(rate=0.5, first="x = F.relu(self.a(x))", last="return self.drop(self.b(x))")
    after = patched(program, "dropout-on-output", "self.drop(", layer="drop")
    assert after == changed(program, ("self.drop(self.b(x))", "self.b(self.drop(x))"))
    program = CHAIN.format(middle="nn.ReLU(),").replace("3),\n", "3),\n    nn.Dropout(0.4),\n")
    after = patched(program, "dropout-on-output", "nn.Dropout", layer="3", which=1)
    assert after == changed(program, ("    nn.Dropout(0.4),\n", ""))
    moved = patched(program, "dropout-on-output", "nn.Dropout", layer="3")
    assert moved == changed(
        program, ("    nn.Linear(16, 3),\n    nn.Dropout(0.4),\n", "    nn.Dropout(0.4),\n    nn.Linear(16, 3),\n")
    )


def test_dropout_goes_behind_the_norm() -> None:
    program = CHAIN.format(middle="nn.Dropout(0.5),\n    nn.BatchNorm1d(16),\n    nn.ReLU(),")
    after = patched(program, "dropout-before-batchnorm", "nn.Dropout", layer="1")
    assert after == changed(
        program, ("    nn.Dropout(0.5),\n", ""), ("    nn.ReLU(),\n", "    nn.ReLU(),\n    nn.Dropout(0.5),\n")
    )
    program = CALLED.format(rate=0.5, first="x = self.norm(self.drop(F.relu(self.a(x))))", last="return self.b(x)")
    after = patched(program, "dropout-before-batchnorm", "self.drop(", layer="drop")
    assert after == changed(
        program, ("self.norm(self.drop(F.relu(self.a(x))))", "self.drop(self.norm(F.relu(self.a(x))))")
    )


def test_a_rate_to_keep_becomes_one_to_drop() -> None:
    program = CALLED.format(rate="0.8  # kept", first="x = self.drop(F.relu(self.a(x)))", last="return self.b(x)")
    after = patched(program, "dropout-too-high", "self.drop = ", layer="drop")
    assert after == changed(program, ("RATE = 0.8", "RATE = 0.2"))
    program = CALLED.format(rate=0, first="x = F.dropout(self.a(x), 0.99, self.training)", last="return self.b(x)")
    after = patched(program, "dropout-too-high", "F.dropout", which=1)
    assert after == changed(program, ("0.99", "0.0"))


@pytest.mark.parametrize(("loader", "sized"), [("DataLoader(data, batch_size=2)", "DataLoader(data, batch_size=32)"),
                                               ("torch.randperm(32).split(2)", "torch.randperm(32).split(32)")])  # fmt: skip
def test_larger_batches_for_the_norm(loader: str, sized: str) -> None:
    program = f"""
    from torch.utils.data import DataLoader, TensorDataset
    x, y = torch.randn(32, 8), torch.randint(3, (32,))
    data = TensorDataset(x, y)
    net = nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16), nn.Linear(16, 3))
    opt = torch.optim.SGD(net.parameters(), lr=0.1)
    for part in {loader}:
        a, b = part if isinstance(part, list) else (x[part], y[part])
        loss = F.cross_entropy(net(a), b)
        loss.backward()
        opt.step()
        opt.zero_grad()
    """
    assert patched(program, "small-batch-norm", "for part", layer="1") == changed(program, (loader, sized))
    other = patched(program, "small-batch-norm", "for part", layer="1", which=1)
    assert other == changed(program, ("nn.BatchNorm1d(16)", "nn.LayerNorm(16)"))


def test_statistics_that_move() -> None:
    program = CHAIN.format(middle="nn.BatchNorm1d(16, momentum=0.0),  # still")
    after = patched(program, "frozen-norm-statistics", "momentum", layer="1")
    assert after == changed(program, ("nn.BatchNorm1d(16, momentum=0.0)", "nn.BatchNorm1d(16)"))
    program = CHAIN.format(middle="nn.BatchNorm1d(16),").replace(
        "    opt.zero_grad()",
        "    for m in net.modules():\n        if isinstance(m, nn.BatchNorm1d):\n            m.eval()\n    opt.zero_grad()",
    )
    after = patched(program, "frozen-norm-statistics", "m.eval()", layer="1")
    assert after == changed(
        program, ("    for m in net.modules():\n        if isinstance(m, nn.BatchNorm1d):\n            m.eval()\n", "")
    )


def test_a_waist_is_widened_with_what_reads_it() -> None:
    program = CHAIN.format(middle="nn.Linear(16, 1), nn.BatchNorm1d(1), nn.ReLU(),\n    nn.Linear(1, 16),")
    after = patched(program, "narrow-bottleneck", "nn.Linear(16, 1)", layer="1")
    assert after == changed(
        program,
        ("nn.Linear(16, 1), ", "nn.Linear(16, 16), "),
        ("BatchNorm1d(1)", "BatchNorm1d(16)"),
        ("nn.Linear(1, 16)", "nn.Linear(16, 16)"),
    )


def test_a_tower_is_made_lower_or_bridged() -> None:
    program = TOWER.format(step="torch.relu(layer(x))")
    made = "nn.Linear(8, 8) for"
    normed = "nn.Sequential(nn.Linear(8, 8), nn.BatchNorm1d(8))"
    expected = [
        [("depth=24", "depth=3")],
        [("self.inp = nn.Linear(8, 8)", f"self.inp = {normed}"), (made, f"{normed} for")],
        [("x = torch.relu(layer(x))", "x = x + torch.relu(layer(x))")],
    ]
    for which, pairs in enumerate(expected):
        after = patched(program, "too-deep-plain", "self.hidden", layer="hidden.0", which=which)
        assert after == changed(program, *pairs)


def test_pooling_moves_behind_the_last_convolutions() -> None:
    program = """
    x, y = torch.randn(8, 1, 16, 16), torch.randint(3, (8,))
    net = nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.MaxPool2d(4),
        nn.Conv2d(4, 4, 3, padding=1), nn.ReLU(),
        nn.MaxPool2d(4),  # one place is left
        nn.Conv2d(4, 4, 3, padding=1), nn.ReLU(),
        nn.Flatten(),
        nn.Linear(4, 3),
    )
    opt = torch.optim.SGD(net.parameters(), lr=0.1)
    for step in range(3):
        opt.zero_grad()
        F.cross_entropy(net(x), y).backward()
        opt.step()
    """
    after = patched(program, "spatial-collapse", "nn.MaxPool2d(4),  #", layer="4", which=1)
    assert after == changed(
        program, ("    nn.MaxPool2d(4),  # one place is left\n", ""),
        ("nn.ReLU(),\n    nn.Flatten()", "nn.ReLU(), nn.AdaptiveMaxPool2d(1),\n    nn.Flatten()"),
    )  # fmt: skip


def test_wide_numbers() -> None:
    program = (
        CHAIN.format(middle="nn.ReLU(),").replace("net(x)", "net(x.half()).float()").replace("3),\n)", "3),\n).half()")
    )
    after = patched(program, "low-precision-overflow", ".half()")
    assert after == changed(program, (").half()\n", ")\n"), ("net(x.half())", "net(x)"))
    after = patched(program, "low-precision-overflow", ".half()", which=1)
    assert after == changed(program, (").half()\n", ").bfloat16()\n"), ("x.half()", "x.bfloat16()"))
