"""A cut between parameters and loss is told at its line; stop-gradients and logging are not."""

import pytest
from planted import diagnose_code, found, line_of

PARTS = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 4))
        self.decoder = nn.Linear(4, 3)
    def forward(self, x):
        {forward}
        return self.decoder(z)
x, y = torch.randn(64, 6), torch.randint(3, (64,))
net = Net()
opt = torch.optim.Adam(net.parameters(), lr=1e-2)
for step in range(6):
    opt.zero_grad()
    out = net(x)
    {loss}
    loss.backward()
    opt.step()
"""
PLAIN = "z = self.encoder(x)"
LOSS = "loss = F.cross_entropy(out, y)"


@pytest.mark.parametrize(
    ("forward", "text"),
    [
        ("z = self.encoder(x).detach()", ".detach()"),
        ("z = self.encoder(x).data", ".data"),
        ("with torch.no_grad():\\n            z = self.encoder(x)".replace("\\n", "\n"), "torch.no_grad()"),
        ("z = torch.from_numpy(self.encoder(x).detach().numpy())", "from_numpy"),
        ("z = F.one_hot(self.encoder(x).argmax(1), 4).float()", "argmax(1)"),
        ("z = (self.encoder(x) > 0).long().float()", ".long()"),
        ("z = (torch.sigmoid(self.encoder(x)) > 0.5).float()", "> 0.5).float()"),
        ("z = torch.tensor([[v.item() for v in row] for row in self.encoder(x)])", "v.item()"),
    ],
)
def test_a_part_that_is_cut_off(forward: str, text: str) -> None:
    sick = PARTS.format(forward=forward, loss=LOSS)
    diagnosis = diagnose_code(sick)
    finding = found(diagnosis, "detached-graph")
    assert finding is not None
    assert finding.severity == "critical"
    assert finding.where.line == line_of(sick, text)
    assert finding.where.layer == "encoder.0"
    assert diagnosis.findings[0].fault == "detached-graph"


def test_rounding_lets_zeros_through() -> None:
    sick = PARTS.format(forward="z = torch.round(self.encoder(x))", loss=LOSS)
    finding = found(diagnose_code(sick), "detached-graph")
    assert finding is not None
    assert (finding.where.layer, finding.where.line) == ("encoder.0", line_of(sick, "torch.round"))


@pytest.mark.parametrize(
    ("loss", "text"),
    [
        ("loss = torch.tensor(F.cross_entropy(out, y).item(), requires_grad=True)", "loss ="),
        ("loss = (out.argmax(1) != y).float().mean().requires_grad_(True)", "loss ="),
        ("loss = F.cross_entropy(out.detach(), y).requires_grad_()", "loss ="),
    ],
)
def test_a_loss_that_no_parameter_leads_to(loss: str, text: str) -> None:
    sick = PARTS.format(forward=PLAIN, loss=loss)
    finding = found(diagnose_code(sick), "detached-graph")
    assert finding is not None
    assert finding.where.line == line_of(sick, text)


TWO = """
x, y = torch.randn(64, 6), torch.randint(3, (64,))
encoder, head = nn.Linear(6, 8), nn.Linear(8, 3)
opt = torch.optim.Adam([*encoder.parameters(), *head.parameters()], lr=1e-2)
for step in range(6):
    {between}
    opt.zero_grad()
    F.cross_entropy(head(torch.relu(h)), y).backward()
    opt.step()
"""


@pytest.mark.parametrize("between", ["h = encoder(x).detach()", "with torch.no_grad(): h = encoder(x)"])
def test_a_cut_between_two_networks(between: str) -> None:
    sick = TWO.format(between=between)
    finding = found(diagnose_code(sick), "detached-graph")
    assert finding is not None
    assert finding.where.line == line_of(sick, between[:12])


@pytest.mark.parametrize(
    ("forward", "loss"),
    [
        (PLAIN, LOSS),
        (PLAIN, LOSS + "\n    total = loss.item() + float(out.detach().mean())"),
        ("e = self.encoder(x)\n        z = e + (torch.round(e) - e).detach()", LOSS),  # straight through
        ("z = self.encoder(x)\n        self.seen = z.detach().numpy()", LOSS),
        (PLAIN, "loss = F.mse_loss(out, out.detach() + 1)"),
    ],
)
def test_stop_gradients_and_logging(forward: str, loss: str) -> None:
    assert found(diagnose_code(PARTS.format(forward=forward, loss=loss)), "detached-graph") is None


def test_what_is_done_to_the_pictures_themselves_cuts_nothing() -> None:
    source = PARTS.format(forward="z = self.encoder(torch.sign(x) + x.round())", loss=LOSS)
    unused = source.replace(
        "self.decoder = nn.Linear(4, 3)", "self.decoder = nn.Linear(4, 3)\n        self.spare = nn.Linear(4, 3)"
    )
    unused = unused.replace("return self.decoder(z)", "self.spare(z)\n        return self.decoder(z)")
    for program in (source, unused):
        assert found(diagnose_code(program), "detached-graph") is None
