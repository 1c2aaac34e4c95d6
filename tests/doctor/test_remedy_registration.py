"""Edits that put layers where their network sees them, or make them once: the exact text after them."""

import pytest
from patched import changed, patched

NET = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(6, 8)
        {layers}
        self.last = nn.Linear(8, 3)  # the head

    def forward(self, x):
        x = torch.relu(self.first(x))
        {call}
        return self.last(x)
x, y = torch.randn(32, 6), torch.randint(3, (32,))
net = Net()
opt = torch.optim.Adam(net.parameters(), lr=1e-2)
for step in range(3):
    opt.zero_grad()
    F.cross_entropy(net(x), y).backward()
    opt.step()
"""
THROUGH = "for layer in self.hidden: x = torch.relu(layer(x))"
UNREGISTERED = [
    ("self.hidden = [nn.Linear(8, 8) for _ in range(2)]  # two", THROUGH,
     [("[nn.Linear(8, 8) for _ in range(2)]", "nn.ModuleList([nn.Linear(8, 8) for _ in range(2)])")]),
    ("self.hidden = {'a': nn.Linear(8, 8)}", "x = self.hidden['a'](x)",
     [("{'a': nn.Linear(8, 8)}", "nn.ModuleDict({'a': nn.Linear(8, 8)})")]),
    ("self.hidden = []\n        for _ in range(2):\n            self.hidden.append(nn.Linear(8, 8))", THROUGH,
     [("self.hidden = []", "self.hidden = nn.ModuleList()")]),
    ("self.hidden = [(nn.Linear(8, 8), nn.ReLU())]", "for f, g in self.hidden: x = g(f(x))",
     [("[(nn.Linear(8, 8), nn.ReLU())]", "nn.ModuleList([nn.ModuleList((nn.Linear(8, 8), nn.ReLU()))])")]),
    ("made = [nn.Linear(8, 8)]\n        self.hidden = made", THROUGH,
     [("self.hidden = made", "self.hidden = nn.ModuleList(made)")]),
    ("self.hidden = {}\n        self.hidden['a'] = nn.Linear(8, 8)", "x = self.hidden['a'](x)",
     [("self.hidden = {}", "self.hidden = nn.ModuleDict()")]),
    ("self.hidden = [nn.Parameter(torch.randn(8, 8))]", "x = x @ self.hidden[0]",
     [("[nn.Parameter(torch.randn(8, 8))]", "nn.ParameterList([nn.Parameter(torch.randn(8, 8))])")]),
    ("self.hidden = torch.randn(8, 8, requires_grad=True)", "x = x @ self.hidden",
     [("torch.randn(8, 8, requires_grad=True)", "nn.Parameter(torch.randn(8, 8))")]),
]  # fmt: skip


@pytest.mark.parametrize(("layers", "call", "pairs"), UNREGISTERED)
def test_layers_are_put_into_a_container(layers: str, call: str, pairs: list[tuple[str, str]]) -> None:
    program = NET.format(layers=layers, call=call)
    after = patched(program, "unregistered-layers", "self.hidden = ", layer="hidden")
    assert after == changed(program, *pairs)


def test_modules_are_registered_beside_a_list_that_has_to_stay_one() -> None:
    program = NET.format(layers="self.hidden = [nn.Linear(8, 8), torch.relu]", call="for f in self.hidden: x = f(x)")
    after = patched(program, "unregistered-layers", "self.hidden = ", layer="hidden", which=1)
    line = "        self.hidden_registered = nn.ModuleList(m for m in self.hidden if isinstance(m, nn.Module))\n"
    assert after == changed(program, ("  # the head\n", "  # the head\n" + line))


OUTSIDE = NET.replace("class Net", "{holder}\nclass Net")


def test_a_layer_of_the_program_becomes_an_attribute() -> None:
    program = OUTSIDE.format(holder="extra = nn.Linear(8, 8)", layers="", call="x = extra(x)")
    after = patched(program, "unregistered-layers", "extra = nn", layer="Linear")
    assert after == changed(program, ("  # the head\n", "  # the head\n        self.extra = extra\n"))


def test_a_plain_class_that_holds_layers_becomes_a_module() -> None:
    holder = "class Block:\n    def __init__(self):\n        self.f = nn.Linear(8, 8)\n"
    holder += "    def __call__(self, x):\n        return self.f(x)"
    program = OUTSIDE.format(holder=holder, layers="self.block = Block()", call="x = self.block(x)")
    after = patched(program, "unregistered-layers", "self.f = nn", layer="Linear")
    assert after == changed(
        program, ("class Block:", "class Block(nn.Module):"), ("        self.f =", "        super().__init__()\n        self.f =")
    )  # fmt: skip


MADE = [
    ("x = torch.relu(nn.Linear(x.shape[1], 8)(x))", "self.linear = nn.Linear(8, 8)", "x = torch.relu(self.linear(x))"),
    ("g = nn.Linear(x.size(-1), 8).to(x.device)\n        x = g(x)", "self.g = nn.Linear(8, 8)", "g = self.g\n        x = g(x)"),
    ("width = 8\n        x = nn.Sequential(nn.Linear(8, width), nn.ReLU())(x)",
     "self.layers = nn.Sequential(nn.Linear(8, 8), nn.ReLU())", "width = 8\n        x = self.layers(x)"),
    ("for _ in range(2):\n            x = nn.Linear(8, 8)(x)", "self.linears = nn.ModuleList([nn.Linear(8, 8) for _ in range(2)])",
     "for linear in self.linears:\n            x = linear(x)"),
    ("g = nn.Linear(8, 8)\n        nn.init.zeros_(g.bias)\n        x = g(x)",
     "self.g = nn.Linear(8, 8)\n        nn.init.zeros_(self.g.bias)", "g = self.g\n        x = g(x)"),
    ("self.g = nn.Linear(8, 8)\n        x = self.g(x)", "self.g = nn.Linear(8, 8)", "x = self.g(x)"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "made", "used"), MADE)
def test_a_layer_is_made_once(call: str, made: str, used: str) -> None:
    program = NET.format(layers="pass", call=call)
    at = next(line for line in call.splitlines() if "nn.Linear(" in line)
    after = patched(program, "layer-created-in-forward", at.strip())
    assert after == changed(program, ("  # the head\n", f"  # the head\n        {made}\n"), (call, used))


def test_a_size_is_left_to_a_lazy_layer() -> None:
    program = NET.format(layers="pass", call="x = nn.Linear(x.shape[1], 8)(x)")
    after = patched(program, "layer-created-in-forward", "x = nn.Linear", which=1)
    assert "        self.linear = nn.LazyLinear(8)\n" in after
    assert "        x = self.linear(x)\n" in after


USES = [
    ("h = torch.relu(self.spare(x))", "x = torch.relu(self.spare(x))"),
    ("self.spare(x)", "x = self.spare(x)"),
    ("pass", "x = torch.relu(self.spare(x))"),
]


@pytest.mark.parametrize(("call", "used"), USES)
def test_a_layer_is_put_to_use(call: str, used: str) -> None:
    program = NET.format(layers="self.spare = nn.Linear(8, 8)", call=call)
    after = patched(program, "unused-parameters", "self.spare = ", layer="spare")
    new = (call, used) if call != "pass" else ("        pass\n", f"        {used}\n        pass\n")
    assert after == changed(program, new)


def test_a_layer_takes_the_second_call_of_its_like() -> None:
    program = NET.format(layers="self.spare = nn.Linear(6, 8)", call="x = x + self.first(x[:, :6])")
    after = patched(program, "unused-parameters", "self.spare = ", layer="spare")
    assert after == changed(program, ("x + self.first(x", "x + self.spare(x"))


def test_what_a_branch_puts_out_is_joined() -> None:
    program = NET.format(
        layers="self.spare = nn.Linear(8, 4)",
        call="a = x[:, :4]\n        b = self.spare(x)\n        x = torch.cat([a, a], 1)",
    )
    after = patched(program, "unused-parameters", "self.spare = ", layer="spare")
    assert after == changed(program, ("torch.cat([a, a], 1)", "torch.cat([a, b], 1)"))


def test_all_layers_of_a_list_are_called_and_a_norm_goes_behind_its_layer() -> None:
    program = NET.format(
        layers="self.hidden = nn.ModuleList([nn.Linear(8, 8) for _ in range(3)])",
        call="for f in self.hidden[:-1]: x = f(x)",
    )
    after = patched(program, "unused-parameters", "self.hidden = ", layer="hidden.2")
    assert after == changed(program, ("self.hidden[:-1]", "self.hidden"))
    program = NET.format(layers="self.norm = nn.BatchNorm1d(8)", call="pass")
    after = patched(program, "unused-parameters", "self.norm = ", layer="norm")
    assert after == changed(program, ("torch.relu(self.first(x))", "torch.relu(self.norm(self.first(x)))"))


def test_a_layer_that_nothing_uses_is_taken_out() -> None:
    program = NET.format(layers="self.spare = nn.Linear(8, 8)", call="pass")
    after = patched(program, "unused-parameters", "self.spare = ", layer="spare", which=1)
    assert after == changed(program, ("        self.spare = nn.Linear(8, 8)\n", ""))


def test_a_loss_that_is_computed_is_added() -> None:
    program = NET.format(layers="self.spare = nn.Linear(8, 1)", call="x, self.aside = x, self.spare(x)")
    program = program.replace(
        "    F.cross_entropy(net(x), y).backward()\n",
        "    loss = F.cross_entropy(net(x), y)\n    other = F.mse_loss(net.aside, y[:, None].float())\n    loss.backward()\n",
    )
    after = patched(program, "unused-parameters", "self.spare = ", layer="spare")
    assert after == changed(program, ("    loss.backward()\n", "    loss = loss + other\n    loss.backward()\n"))
