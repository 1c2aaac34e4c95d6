"""Weights that start too large or too small are told at the line that draws them; usual and normalised ones are not."""

import pytest
from planted import diagnose_code, found, line_of

NET = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(30, 64)
        self.fc2 = nn.Linear(64, 64)
        self.fc3 = nn.Linear(64, 64)
        self.fc4 = nn.Linear(64, 4)
        self.norm = {norm}
        for m in self.modules():
            if isinstance(m, nn.Linear):
                {init}
                nn.init.zeros_(m.bias)
        {more}
    def forward(self, x):
        for layer in (self.fc1, self.fc2, self.fc3):
            x = {act}(self.norm(layer(x)))
        return self.fc4(x)
x = torch.randn(256, 30)
y = (x[:, :4] + 0.3 * torch.randn(256, 4)).argmax(1)
net = Net()
opt = torch.optim.SGD(net.parameters(), lr=0.02, momentum=0.9)
for step in range(40):
    opt.zero_grad()
    F.cross_entropy(net(x), y).backward()
    opt.step()
"""


def program(init: str = "pass", act: str = "torch.relu", norm: str = "nn.Identity()", more: str = "pass") -> str:
    return NET.format(init=init, act=act, norm=norm, more=more)


@pytest.mark.craft("TD09")
@pytest.mark.parametrize("act", ["torch.relu", "torch.tanh"])
def test_weights_of_a_normal_distribution_of_spread_one(act: str) -> None:
    sick = program("nn.init.normal_(m.weight)", act)
    diagnosis = diagnose_code(sick)
    finding = found(diagnosis, "init-too-large")
    assert finding is not None
    assert diagnosis.findings[0].fault == "init-too-large"
    assert finding.where.line == line_of(sick, "nn.init.normal_")
    assert "fc" in (finding.where.layer or "")


def test_one_layer_that_is_far_too_large() -> None:
    sick = program(more="self.fc4.weight.data.mul_(400)")
    finding = found(diagnose_code(sick), "init-too-large")
    assert finding is not None
    assert (finding.where.layer, finding.where.line) == ("fc4", line_of(sick, "mul_(400)"))


@pytest.mark.craft("TD09")
@pytest.mark.parametrize(
    "healthy",
    [
        program("nn.init.kaiming_normal_(m.weight)"),
        program("nn.init.orthogonal_(m.weight)", "torch.tanh"),
        program("nn.init.xavier_uniform_(m.weight, gain=5 / 3)", "torch.tanh"),
        program(
            "nn.init.normal_(m.weight)", norm="nn.BatchNorm1d(64)", more="nn.init.kaiming_normal_(self.fc4.weight)"
        ),
    ],
)
def test_usual_starts_and_normalised_ones(healthy: str) -> None:
    diagnosis = diagnose_code(healthy)
    assert found(diagnosis, "init-too-large") is None
    assert found(diagnosis, "init-too-small") is None


# Classes and a heavy distance: the whole begins at many times what guessing a class costs, each part where it should.
TWO_PARTS = """
    net = nn.Sequential(
        nn.Linear(12, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 6)
    )
    net[{layer}].weight.data *= {factor}
    x = torch.randn(128, 12)
    y, wanted = x[:, :4].argmax(1), x[:, 4:6]
    opt = torch.optim.Adam(net.parameters(), lr=1e-4)
    for step in range(20):
        said = net(x)
        opt.zero_grad()
        (F.cross_entropy(said[:, :4], y) + 20 * F.mse_loss(said[:, 4:], wanted)).backward()
        opt.step()
"""


@pytest.mark.parametrize(("layer", "factor", "told"), [(2, 10.5, False), (6, 40, True)])
def test_the_start_of_a_loss_with_parts_is_judged_by_each_part(layer: int, factor: float, told: bool) -> None:
    finding = found(diagnose_code(TWO_PARTS.format(layer=layer, factor=factor)), "init-too-large")
    assert (finding is not None) == told
    if finding is not None:
        assert "part of the loss" in finding.evidence
