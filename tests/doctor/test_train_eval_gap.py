"""A hand-made dropout that forgets to divide is named with its layers; dropout as it should be, and batch norm, are not."""

import re

import pytest
from planted import diagnose_code, found, line_of

PROGRAM = """
class Drop(nn.Module):
    def forward(self, x):
        if not self.training:
            return x
        keep = (torch.rand_like(x) > 0.5).float()
        return {drop}

x = torch.randn(240, 8); y = x[:, :1] * 2 + x[:, 1:2] + 5
net = nn.Sequential(nn.Linear(8, 64), nn.ReLU(), {layer}, nn.Linear(64, 64), nn.ReLU(), {layer}, nn.Linear(64, 1))
opt = torch.optim.Adam(net.parameters(), lr=1e-2)
for epoch in range(8):
    net.train()
    for i in range(0, 200, 20):
        opt.zero_grad()
        F.mse_loss(net(x[i:i + 20]), y[i:i + 20]).backward()
        opt.step()
    net.eval()
    with torch.no_grad():
        print('val loss', F.mse_loss(net(x[200:]), y[200:]).item())
"""


def test_dropout_that_does_not_divide_is_named() -> None:
    program = PROGRAM.format(drop="x * keep", layer="Drop()")
    finding = found(diagnose_code(program), "train-eval-gap")
    assert finding is not None
    assert finding.where.layer == "2"
    assert finding.where.line == line_of(program, "return x * keep")
    assert re.search(r"(1\.9|2\.0|2\.1) times as large in evaluation", finding.evidence)


@pytest.mark.parametrize(
    ("drop", "layer"),
    [
        ("x * keep / 0.5", "Drop()"),
        ("x", "nn.Dropout(0.5)"),
        ("x", "nn.BatchNorm1d(64)"),
        ("x + 0.3 * keep - 0.15", "Drop()"),
    ],
)
def test_layers_of_one_mean_are_let_be(drop: str, layer: str) -> None:
    assert found(diagnose_code(PROGRAM.format(drop=drop, layer=layer)), "train-eval-gap") is None


WRITTEN_OUT = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b, self.c = nn.Linear(8, 64), nn.Linear(64, 64), nn.Linear(64, 1)

    def forward(self, x):
        h = F.relu(self.a(x))
        if self.training:
            h = h * (torch.rand_like(h) > 0.6).float(){scale}
        return self.c(F.relu(self.b(h)))

x = torch.randn(240, 8); y = x[:, :1] * 2 + x[:, 1:2] + 5
net = Net()
opt = torch.optim.Adam(net.parameters(), lr=1e-2)
for epoch in range(8):
    net.train()
    for i in range(0, 200, 20):
        opt.zero_grad()
        F.mse_loss(net(x[i:i + 20]), y[i:i + 20]).backward()
        opt.step()
    net.eval()
    with torch.no_grad():
        print('val loss', F.mse_loss(net(x[200:]), y[200:]).item())
"""


def test_dropout_written_out_in_a_forward_is_found_at_its_line() -> None:
    program = WRITTEN_OUT.format(scale="")
    finding = found(diagnose_code(program), "train-eval-gap")
    assert finding is not None
    assert finding.where.line == line_of(program, "torch.rand_like")
    assert finding.where.layer == "b"
    assert found(diagnose_code(WRITTEN_OUT.format(scale=" / 0.4")), "train-eval-gap") is None
