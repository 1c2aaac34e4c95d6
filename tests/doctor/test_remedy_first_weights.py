"""Edits of first weights: the exact text after them."""

import pytest
from patched import changed, patched

NET = """
x, y = torch.randn(32, 8), torch.randint(3, (32,))
net = nn.Sequential(nn.Linear(8, 16), nn.{act}(), nn.Linear(16, 16), nn.{act}(), nn.Linear(16, 3))
{start}
opt = torch.optim.SGD(net.parameters(), lr=0.01)
for step in range(3):
    opt.zero_grad()
    F.cross_entropy(net(x), y).backward()
    opt.step()
"""

APPLIED = """def start(m):
    if isinstance(m, nn.Linear):
        nn.init.{call}  # as in the paper
        nn.init.zeros_(m.bias)
net.apply(start)"""

OWN = """
x, y = torch.randn(32, 8), torch.randint(3, (32,))
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.w1 = nn.Parameter({first})  # hidden
        self.b1 = nn.Parameter(torch.zeros(16))
        self.w2 = nn.Parameter({last})
    def forward(self, x):
        return torch.relu(x @ self.w1 + self.b1) @ self.w2
net = Net()
opt = torch.optim.SGD(net.parameters(), lr=0.01)
for step in range(3):
    opt.zero_grad()
    F.cross_entropy(net(x), y).backward()
    opt.step()
"""


@pytest.mark.parametrize(
    ("fault", "call", "act", "rule"),
    [
        ("zero-init", "constant_(m.weight, 0.1)", "Tanh", "xavier_uniform_"),
        ("zero-init", "zeros_(m.weight)", "ReLU", "kaiming_normal_"),
        ("init-too-large", "normal_(m.weight, std=3.0)", "ReLU", "kaiming_normal_"),
        ("init-too-small", "uniform_(m.weight, -1e-4, 1e-4)", "ReLU", "kaiming_normal_"),
        ("init-too-small", "xavier_uniform_(m.weight, gain=1e-3)", "Tanh", "xavier_uniform_"),
    ],
)
def test_the_rule_in_the_place_of_the_call_with_its_comment(fault: str, call: str, act: str, rule: str) -> None:
    program = NET.format(act=act, start=APPLIED.format(call=call))
    after = patched(program, fault, call, layer="0")
    assert after == changed(program, (f"nn.init.{call}  # as", f"nn.init.{rule}(m.weight)  # as"))


def test_the_line_left_out() -> None:
    program = NET.format(act="ReLU", start=APPLIED.format(call="ones_(m.weight)"))
    after = patched(program, "zero-init", "ones_", layer="0", which=1)
    assert after == changed(program, ("        nn.init.ones_(m.weight)  # as in the paper\n", ""))


def test_a_rule_for_all_layers_before_the_optimizer() -> None:
    program = NET.format(act="ReLU", start=APPLIED.format(call="ones_(m.weight)"))
    after = patched(program, "zero-init", "ones_", layer="0", which=2)
    loop = "for module in net.modules():\n    if isinstance(module, nn.Linear):\n        nn.init.kaiming_normal_(module.weight)\n"
    assert after == changed(program, ("opt = torch", f"{loop}opt = torch"))


@pytest.mark.parametrize("way", ["p.data.normal_(0, 4)", "torch.nn.init.normal_(p, 0, 4)"])
def test_a_loop_over_all_parameters_gives_matrices_the_rule_alone(way: str) -> None:
    program = NET.format(act="ReLU", start=f"for p in net.parameters():\n    {way}")
    after = patched(program, "init-too-large", way, layer="0")
    init = "torch.nn.init" if "torch" in way else "nn.init"
    assert after == changed(program, (f"    {way}", f"    if p.dim() > 1:\n        {init}.kaiming_normal_(p)"))


def test_weights_by_name_leave_the_biases_to_their_own_branch() -> None:
    start = """with torch.no_grad():
    for name, w in net.named_parameters():
        if "weight" in name:
            w.fill_(0.05)
        else:
            w.zero_()  # biases"""
    program = NET.format(act="ReLU", start=start)
    after = patched(program, "zero-init", "w.fill_", layer="0")
    assert after == changed(program, ("w.fill_(0.05)", "nn.init.kaiming_normal_(w)"))


def test_scaling_on_top_of_a_sound_start_is_taken_out_with_its_block() -> None:
    start = """for m in net:
    if isinstance(m, nn.Linear):
        nn.init.kaiming_normal_(m.weight)
        with torch.no_grad():
            m.weight.mul_(40)"""
    program = NET.format(act="ReLU", start=start)
    after = patched(program, "init-too-large", "mul_", layer="0")
    assert after == changed(program, ("        with torch.no_grad():\n            m.weight.mul_(40)\n", ""))


def test_wild_biases_start_at_zero_too() -> None:
    start = APPLIED.format(call="normal_(m.weight, std=3.0)").replace("zeros_(m.bias)", "normal_(m.bias)")
    program = NET.format(act="ReLU", start=start)
    after = patched(program, "init-too-large", "normal_(m.weight, std=3.0)", layer="0")
    assert after == changed(
        program, ("normal_(m.weight, std=3.0)", "kaiming_normal_(m.weight)"), ("normal_(m.bias)", "zeros_(m.bias)")
    )


def test_weights_that_the_program_makes_itself() -> None:
    program = OWN.format(first="torch.zeros(8, 16)", last="torch.full((16, 3), 0.1)")
    after = patched(program, "zero-init", "self.w1 =")
    assert after == changed(
        program, ("torch.zeros(8, 16)", "nn.init.xavier_uniform_(torch.empty(8, 16))"),
        ("torch.full((16, 3), 0.1)", "nn.init.xavier_uniform_(torch.empty((16, 3)))"),
    )  # fmt: skip


def test_scaled_random_values_that_the_program_makes_itself() -> None:
    program = OWN.format(first="torch.randn(8, 16) * 5", last="5 * torch.randn(16, 3)")
    after = patched(program, "init-too-large", "self.w1 =")
    assert after == changed(
        program, ("torch.randn(8, 16) * 5", "nn.init.xavier_uniform_(torch.empty(8, 16))"),
        ("5 * torch.randn(16, 3)", "nn.init.xavier_uniform_(torch.empty(16, 3))"),
    )  # fmt: skip


def test_an_assignment_of_values() -> None:
    program = NET.format(act="ReLU", start="net[0].weight.data = torch.full_like(net[0].weight, 0.2)  # even")
    after = patched(program, "zero-init", "full_like", layer="0")
    assert after == changed(
        program, ("net[0].weight.data = torch.full_like(net[0].weight, 0.2)", "nn.init.kaiming_normal_(net[0].weight)")
    )
