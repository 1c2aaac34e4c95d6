"""Parameters that learn and that no optimizer holds are named; heads alone on a trained body are not."""

import pytest
from planted import diagnose_code, found, line_of

PROGRAM = """
x, y = torch.randn(64, 8), torch.randint(4, (64,))
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(8, 16), nn.ReLU())
        self.head = nn.Linear(16, 4)
    def forward(self, x):
        return self.head(self.body(x))
net = Net()
{before}
for step in range(20):
    opt.zero_grad()
    F.cross_entropy(net(x), y).backward()
    opt.step()
"""
MAKE = "opt = torch.optim.Adam(net.parameters(), lr=1e-2)"


@pytest.mark.parametrize(
    ("before", "layer"),
    [
        (f"{MAKE}\nnet = Net()", None),
        (f"net(x)\n{MAKE}\nnet.head = nn.Linear(16, 4)", "head"),
        (f"net(x)\n{MAKE}\nnet.head = nn.Sequential(nn.Linear(16, 4))", "head"),
        ("opt = torch.optim.Adam(net.body.parameters(), lr=1e-2)", "head"),
    ],
    ids=["rebuilt", "new head", "other head", "body only"],
)
def test_what_no_optimizer_holds_is_found(before: str, layer: str | None) -> None:
    program = PROGRAM.format(before=before)
    finding = found(diagnose_code(program), "optimizer-misses-parameters")
    assert finding is not None
    assert finding.where.line == line_of(program, "opt = ")
    assert layer is None or (finding.where.layer or "").startswith(layer)


def test_an_encoder_that_was_left_out_is_found() -> None:
    program = """
    x, y = torch.randn(64, 8), torch.randint(4, (64,))
    encoder, decoder = nn.Sequential(nn.Linear(8, 16), nn.ReLU()), nn.Linear(16, 4)
    opt = torch.optim.Adam(decoder.parameters(), lr=1e-2)
    for step in range(20):
        opt.zero_grad()
        F.cross_entropy(decoder(encoder(x)), y).backward()
        opt.step()
    """
    finding = found(diagnose_code(program), "optimizer-misses-parameters")
    assert finding is not None
    assert finding.where.line == line_of(program, "opt = ")


@pytest.mark.parametrize(
    "before",
    [
        MAKE,
        f"net(x)\nnet.head = nn.Linear(16, 4)\n{MAKE}",
        "for p in net.body.parameters(): p.requires_grad_(False)\nopt = torch.optim.Adam(net.head.parameters(), lr=1e-2)",
        "net.load_state_dict(Net().state_dict())\nopt = torch.optim.Adam(net.head.parameters(), lr=1e-2)",
        "opt = torch.optim.Adam(net.head.parameters(), lr=1e-2)\nopt.add_param_group({'params': net.body.parameters()})",
    ],
    ids=["all", "head before", "frozen body", "loaded body", "added later"],
)
def test_what_is_held_or_meant_to_stay_is_let_be(before: str) -> None:
    assert found(diagnose_code(PROGRAM.format(before=before)), "optimizer-misses-parameters") is None


def test_a_head_after_a_first_stage_is_let_be() -> None:
    program = (
        PROGRAM.format(before=MAKE)
        + """
net.head = nn.Linear(16, 4)
opt = torch.optim.Adam(net.head.parameters(), lr=1e-2)
for step in range(20):
    opt.zero_grad()
    F.cross_entropy(net(x), y).backward()
    opt.step()
"""
    )
    assert found(diagnose_code(program), "optimizer-misses-parameters") is None


def test_a_head_on_a_copied_body_is_let_be() -> None:
    program = (
        PROGRAM.format(before=MAKE)
        + """
import copy
other = copy.deepcopy(net)
other.head = nn.Linear(16, 4)
opt = torch.optim.Adam(other.head.parameters(), lr=1e-2)
for step in range(20):
    opt.zero_grad()
    F.cross_entropy(other(x), y).backward()
    opt.step()
"""
    )
    assert found(diagnose_code(program), "optimizer-misses-parameters") is None
