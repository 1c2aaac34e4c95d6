"""Frozen weights that are still as they were drawn are told; loaded, learnt, following and fixed ones are not."""

import pytest
from planted import diagnose_code, found, line_of

NET = """
import copy
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(12, 16), nn.ReLU(), nn.Linear(16, 16), nn.ReLU())
        self.head = nn.Linear(16, 3)
    def forward(self, x):
        return self.head(self.body(x))
x, y = torch.randn(64, 12), torch.randint(3, (64,))
def fit(net, steps=6):
    opt = torch.optim.Adam([p for p in net.parameters() if p.requires_grad], lr=1e-2)
    for step in range(steps):
        opt.zero_grad()
        F.cross_entropy(net(x), y).backward()
        opt.step()
net = Net()
{before}
fit(net)
"""


@pytest.mark.parametrize(
    ("before", "layer"),
    [
        ("for p in net.body.parameters():\n    p.requires_grad = False", "body"),
        ("net.body.requires_grad_(False)", "body"),
        (
            "for m in (net.body[0], net.body[2]):\n    nn.init.kaiming_normal_(m.weight)\nnet.body.requires_grad_(False)",
            "body",
        ),
        ("for p in net.head.parameters():\n    p.requires_grad = False", "head"),
        ("for n, p in net.named_parameters():\n    p.requires_grad = n.startswith('head')", "body"),
    ],
)
def test_random_weights_that_may_not_learn(before: str, layer: str) -> None:
    sick = NET.format(before=before)
    finding = found(diagnose_code(sick), "frozen-parameters")
    assert finding is not None
    assert finding.where.layer == layer
    assert finding.where.line == line_of(
        sick, "requires_grad_(False)" if "requires_grad_" in before else "    p.requires_grad ="
    )


@pytest.mark.parametrize(
    "before",
    [
        "",
        "net.load_state_dict(copy.deepcopy(net.state_dict()))\nnet.body.requires_grad_(False)",
        "fit(net)\nnet.body.requires_grad_(False)",
        "fit(net)\nnet = copy.deepcopy(net)\nnet.body.requires_grad_(False)\nnet.head = nn.Linear(16, 3)",
        "net.body[0].weight.data = torch.eye(16, 12)\nnet.body[0].requires_grad_(False)",
        "net.teacher = copy.deepcopy(net.body).requires_grad_(False)",
    ],
)
def test_what_is_frozen_on_purpose(before: str) -> None:
    assert found(diagnose_code(NET.format(before=before)), "frozen-parameters") is None


def test_one_wide_layer_of_random_features_is_a_note_where_it_serves() -> None:
    program = NET.format(
        before="net.body = nn.Sequential(nn.Linear(12, 64), nn.ReLU()).requires_grad_(False)\nnet.head = nn.Linear(64, 3)"
    )
    program = program.replace(
        "y = torch.randn(64, 12), torch.randint(3, (64,))",
        "y = torch.randn(64, 12), torch.arange(64) % 3\nx[:, 0] += 3 * y",
    )
    served = diagnose_code(program.replace("fit(net)", "fit(net, 60)"))
    assert [f.severity for f in served.findings if f.fault == "frozen-parameters"] == ["note"]
    assert found(diagnose_code(program.replace("fit(net)", "fit(net, 4)")), "frozen-parameters") is not None
