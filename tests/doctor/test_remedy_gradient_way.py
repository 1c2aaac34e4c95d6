"""Edits that let gradients, samples and inputs get through as they should: the exact text after them."""

import pytest
from patched import changed, patched

NET = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 4))
        self.decoder = nn.Linear(4, 3)
    def forward(self, x):
        # the code first
        width = x.shape[1]
        {forward}
        return self.decoder(z)
x, y = torch.randn(32, 6), torch.randint(3, (32,))
net = Net()
{before}
opt = torch.optim.Adam({held}, lr=1e-2)
for step in range(3):
    opt.zero_grad()
    out = net(x)
    {loss}
    loss.backward()
    opt.step()
"""
PLAIN, LOSS, ALL = "z = self.encoder(x)", "loss = F.cross_entropy(out, y)  # classes", "net.parameters()"


def program(forward: str = PLAIN, loss: str = LOSS, before: str = "pass", held: str = ALL) -> str:
    return NET.format(forward=forward, loss=loss, before=before, held=held)


BRANCHES = (
    "for n, p in net.named_parameters():\n    if 'decoder' in n:\n        p.requires_grad = True\n"
    "    else:\n        p.requires_grad = {}\n"
)
FROZEN = [
    ("for p in net.encoder.parameters():\n    p.requires_grad = False\n", "p.requires_grad", ""),
    ("net.encoder.requires_grad_(False)\n", "net.encoder", ""),
    ("[p.requires_grad_(False) for p in net.encoder.parameters()]\n", "[p.requires", ""),
    ("for n, p in net.named_parameters():\n    p.requires_grad = n.startswith('decoder')\n", "p.requires_grad", ""),
    ("body = net.encoder.requires_grad_(False)\n", "body =", "body = net.encoder\n"),
    (BRANCHES.format("False"),
     "p.requires_grad = False",
     BRANCHES.format("True")),
]  # fmt: skip


@pytest.mark.parametrize(("freezing", "at", "left"), FROZEN)
def test_what_was_frozen_learns(freezing: str, at: str, left: str) -> None:
    sick = program(before=freezing.rstrip("\n"))
    after = patched(sick, "frozen-parameters", at, layer="encoder")
    assert after == changed(sick, (freezing, left))


def test_what_was_frozen_goes_to_the_optimizer_and_is_recorded() -> None:
    freezing = "net.encoder.requires_grad_(False)\n"
    forward = "with torch.no_grad():  # fixed\n            z = self.encoder(x)"
    sick = program(forward=forward, before=freezing.rstrip("\n"), held="net.decoder.parameters()")
    after = patched(sick, "frozen-parameters", "net.encoder.requires", layer="encoder")
    assert after == changed(
        sick, (freezing, ""), ("net.decoder.parameters()", "net.parameters()"), (forward, "# fixed\n        z = self.encoder(x)")
    )  # fmt: skip


CUT = [
    ("z = self.encoder(x).detach()", "detach()", "z = self.encoder(x)"),
    ("z = self.encoder(x).data.clone()", ".data", "z = self.encoder(x)"),
    ("with torch.no_grad():\n            z = self.encoder(x)", "no_grad", "z = self.encoder(x)"),
    ("with torch.no_grad(): z = self.encoder(x)", "no_grad", "z = self.encoder(x)"),
    ("z = torch.from_numpy(self.encoder(x).detach().cpu().numpy())", "from_numpy", "z = self.encoder(x)"),
    ("z = torch.tensor([[v.item() for v in row] for row in self.encoder(x)])", "v.item()", "z = self.encoder(x)"),
    ("z = F.one_hot(self.encoder(x).argmax(1), 4).float()", "argmax", "z = torch.softmax(self.encoder(x), dim=1)"),
    ("z = torch.round(self.encoder(x))", "round", "z = self.encoder(x)\n        z = z + (torch.round(z) - z).detach()"),
    ("h = self.encoder(x)\n        z = (h > 0).float()", "h > 0",
     "h = self.encoder(x)\n        z = h + ((h > 0).float() - h).detach()"),
]  # fmt: skip


@pytest.mark.parametrize(("forward", "at", "left"), CUT)
def test_the_way_is_opened(forward: str, at: str, left: str) -> None:
    sick = program(forward)
    assert patched(sick, "detached-graph", at, layer="encoder.0") == changed(sick, (forward, left))


LOSSES = [
    ("loss = torch.tensor(F.cross_entropy(out, y).item(), requires_grad=True)", "loss = F.cross_entropy(out, y)"),
    ("loss = F.cross_entropy(out.detach(), y).requires_grad_()", "loss = F.cross_entropy(out, y)"),
    ("loss = (out.argmax(1) != y).float().mean().requires_grad_(True)", "loss = F.cross_entropy(out, y)"),
]


@pytest.mark.parametrize(("loss", "left"), LOSSES)
def test_the_loss_leads_to_the_parameters(loss: str, left: str) -> None:
    sick = program(loss=loss)
    assert patched(sick, "detached-graph", "loss =") == changed(sick, (loss, left))


def test_values_that_went_through_numpy() -> None:
    forward = "a = self.encoder(x).detach().numpy()\n        a = np.tanh(a)\n        z = torch.from_numpy(a)"
    sick = "import numpy as np\n" + program(forward)
    left = "a = self.encoder(x)\n        a = torch.tanh(a)\n        z = a"
    assert patched(sick, "detached-graph", "detach()", which=1) == changed(sick, (forward, left))


def test_a_decorator_goes_and_the_comment_stays() -> None:
    sick = program().replace("    def forward", "    # one pass\n    @torch.no_grad()\n    def forward")
    sick = sick.replace("loss.backward()", "loss.requires_grad_().backward()")
    assert patched(sick, "detached-graph", "@torch.no_grad") == changed(sick, ("    @torch.no_grad()\n", ""))


WIDE = """
import warnings
warnings.simplefilter("ignore")
x = torch.randn(32, 6)
y = x[:, 0] * 2
net = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 1))
opt = torch.optim.Adam(net.parameters(), lr=1e-2)
criterion = nn.MSELoss()
def own(output, target):
    # squares
    return ((output - target) ** 2).mean()
for step in range(3):
    opt.zero_grad()
    {loss}
    loss.backward()
    opt.step()
with torch.no_grad():
    print((net(x) - y).abs().mean().item())
"""
EVALUATED = ("(net(x) - y).abs()", "(net(x) - y.unsqueeze(1)).abs()")


@pytest.mark.parametrize(
    ("loss", "at", "pair"),
    [
        ("loss = F.mse_loss(net(x), y)", "    loss = F", ("net(x), y)", "net(x), y.unsqueeze(1))")),
        ("loss = criterion(net(x), y)", "    loss = c", ("net(x), y)", "net(x), y.unsqueeze(1))")),
        ("loss = own(net(x), y)", "return ((", ("output - target)", "output - target.unsqueeze(1))")),
        ("loss = (y - net(x)).abs().mean()", "    loss = (", ("(y - net", "(y.unsqueeze(1) - net")),
        ("loss = criterion(net(x), y * 2)", "    loss = c", ("y * 2)", "(y * 2).unsqueeze(1))")),
    ],
)
def test_the_target_gets_the_shape_of_the_output(loss: str, at: str, pair: tuple[str, str]) -> None:
    sick = WIDE.format(loss=loss)
    assert patched(sick, "shape-broadcast", at) == changed(sick, pair, EVALUATED)


def test_the_output_loses_its_last_axis() -> None:
    sick = WIDE.format(loss="loss = criterion(net(x), y)")
    after = patched(sick, "shape-broadcast", "    loss =", which=2)
    assert after == changed(sick, ("nn.Linear(8, 1))", "nn.Linear(8, 1), nn.Flatten(0))"))


MIXED = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(8, 16)
        self.rnn = nn.GRU(16, 16{option})
        self.fc = nn.Linear(16, 3)
    def forward(self, x):
        h = self.a(x)
        {change}
        out, _ = self.rnn(h)  # the last one counts
        return self.fc(out[:, -1])
x, y = torch.randn(24, 6, 8), torch.randint(3, (24,))
net = Net()
opt = torch.optim.Adam(net.parameters(), lr=1e-2)
for step in range(3):
    opt.zero_grad()
    F.cross_entropy(net(x), y).backward()
    opt.step()
"""


def test_a_layer_takes_the_batch_first() -> None:
    sick = MIXED.format(option="", change="pass")
    after = patched(sick, "batch-mixing", "self.rnn = ", layer="rnn")
    assert after == changed(sick, ("nn.GRU(16, 16)", "nn.GRU(16, 16, batch_first=True)"))
    after = patched(sick, "batch-mixing", "self.rnn = ", layer="rnn", which=1)
    called = "        out, _ = self.rnn(h)  # the last one counts\n"
    turned = "        out, _ = self.rnn(h.transpose(0, 1))  # the last one counts\n        out = out.transpose(0, 1)\n"
    assert after == changed(sick, (called, turned))


@pytest.mark.parametrize(
    ("change", "left"),
    [
        ("h = h.reshape(6, -1, 16).transpose(0, 1)", "h = h.reshape(-1, 6, 16)"),
        (
            "h = h.view(6, len(x), 16).sigmoid().permute(1, 0, 2)",
            "h = h.reshape(len(x), 6, 16).transpose(0, 1).sigmoid().permute(1, 0, 2)",
        ),
        ("h = h * torch.softmax(h, dim=0)", "h = h * torch.softmax(h, dim=-1)"),
        ("h = h - h.mean(0)", "h = h - h.mean(1, keepdim=True)"),
        ("h = h / h.std()", "h = h / h.std(dim=-1, keepdim=True)"),
        ("h = h.roll(1, 0)", "h = h.roll(1, 1)"),
        ("h = h.flip(0)", "h = h.flip(1)"),
    ],
)
def test_samples_are_kept_apart(change: str, left: str) -> None:
    sick = MIXED.format(option=", batch_first=True", change=change)
    assert patched(sick, "batch-mixing", "h = h", layer="rnn") == changed(sick, (change, left))


@pytest.mark.parametrize(
    ("lost", "at", "left"),
    [
        ("x = torch.zeros_like(x)\n        z = self.encoder(x)", "zeros_like", "z = self.encoder(x)"),
        (
            "h = x * 2\n        h = torch.ones(len(x), 6)\n        z = self.encoder(h)",
            "torch.ones",
            "h = x * 2\n        z = self.encoder(h)",
        ),
        ("z = self.encoder(torch.randn(len(x), 6))", "randn(len", "z = self.encoder(x)"),
        ("h = (x - x) / 2\n        z = self.encoder(h)", "z = self", "h = x / 2\n        z = self.encoder(h)"),
        ("h = x * 0\n        z = self.encoder(h)", "z = self", "h = x\n        z = self.encoder(h)"),
        ("x = torch.clamp(x, 9, 10)\n        z = self.encoder(x)", "z = self", "z = self.encoder(x)"),
    ],
)
def test_the_input_is_passed_on(lost: str, at: str, left: str) -> None:
    sick = program(lost)
    assert patched(sick, "input-ignored", at, layer="encoder.0") == changed(sick, (lost, left))


def test_a_layer_that_puts_out_the_same_for_all_is_left_out() -> None:
    sick = program("z = self.encoder(x)").replace("nn.Tanh()", "nn.Hardtanh(0, 1e-9)")
    assert patched(sick, "input-ignored", "z = self", layer="encoder.1") == changed(
        sick, ("nn.Hardtanh(0, 1e-9), ", "")
    )
