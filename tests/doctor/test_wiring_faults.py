"""Faults of wiring: what is held, called, connected and compared. Each fires on the planted fault and not on its healthy twin."""

import pytest
from planted import diagnose_code, found, line_of

LOOP = """
opt = torch.optim.Adam([p for p in net.parameters() if p.requires_grad], lr=1e-2)
for step in range(12):
    opt.zero_grad()
    loss = F.cross_entropy(net(x), y)
    loss.backward()
    opt.step()
"""
DATA = "x = torch.randn(64, 8)\ny = x[:, :4].argmax(1)\n"

UNREGISTERED = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(8, 16)
        self.blocks = {kind}([nn.Linear(16, 16) for _ in range(2)])
        self.head = nn.Linear(16, 4)

    def forward(self, x):
        x = torch.relu(self.first(x))
        for block in self.blocks:
            x = torch.relu(block(x))
        return self.head(x)

net = Net()
"""


def test_layers_in_a_plain_list_are_named_with_the_list() -> None:
    program = DATA + UNREGISTERED.format(kind="list") + LOOP
    finding = found(diagnose_code(program), "unregistered-layers")
    assert finding is not None
    assert finding.where.layer == "blocks"
    assert finding.where.line == line_of(program, "self.blocks")
    assert found(diagnose_code(DATA + UNREGISTERED.format(kind="nn.ModuleList") + LOOP), "unregistered-layers") is None


IN_FORWARD = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(8, 16)
        {made}

    def forward(self, x):
        x = torch.relu(self.first(x))
        {used}

net = Net()
"""


def test_a_layer_made_in_forward_is_found_at_its_line() -> None:
    program = DATA + IN_FORWARD.format(made="pass", used="return nn.Linear(16, 4)(x)") + LOOP
    finding = found(diagnose_code(program), "layer-created-in-forward")
    assert finding is not None
    assert finding.where.line == line_of(program, "nn.Linear(16, 4)")
    lazy = DATA + IN_FORWARD.format(made="self.head = nn.LazyLinear(4)", used="return self.head(x)")
    lazy += "net(x)\n" + LOOP
    assert found(diagnose_code(lazy), "layer-created-in-forward") is None


UNUSED = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Linear(8, 16)
        self.extra = nn.Linear(16, 16)
        self.head = nn.Linear(16, 4)

    def forward(self, x):
        x = torch.relu(self.body(x))
        {extra}
        return self.head(x)

net = Net()
"""


def test_a_layer_that_takes_no_part_is_named() -> None:
    finding = found(diagnose_code(DATA + UNUSED.format(extra="z = self.extra(x)") + LOOP), "unused-parameters")
    assert finding is not None
    assert finding.where.layer == "extra"
    never = found(diagnose_code(DATA + UNUSED.format(extra="pass") + LOOP), "unused-parameters")
    assert never is not None
    assert "never calls" in never.evidence
    assert found(diagnose_code(DATA + UNUSED.format(extra="x = self.extra(x)") + LOOP), "unused-parameters") is None


MIXING = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.GRU(8, 16{first})
        self.head = nn.Linear(16, 4)

    def forward(self, x):
        return self.head(self.rnn(x)[0][:, -1])

net = Net()
x = torch.randn(32, 6, 8)
y = x[:, -1, :4].argmax(1)
"""


def test_a_recurrent_layer_along_the_batch_is_found() -> None:
    finding = found(diagnose_code(MIXING.format(first="") + LOOP), "batch-mixing")
    assert finding is not None
    assert finding.where.layer == "rnn"
    assert found(diagnose_code(MIXING.format(first=", batch_first=True") + LOOP), "batch-mixing") is None


def test_batch_norm_and_contrast_within_the_batch_are_no_mixing() -> None:
    norm = DATA + "net = nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 4))\n" + LOOP
    assert found(diagnose_code(norm), "batch-mixing") is None


IGNORED = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body, self.head = nn.Linear(8, 16), nn.Linear(16, 4)

    def forward(self, x):
        h = torch.relu(self.body(x))
        {change}
        return self.head(h)

net = Net()
"""


def test_an_output_that_ignores_its_input_is_found() -> None:
    assert (
        found(diagnose_code(DATA + IGNORED.format(change="h = torch.zeros_like(h)") + LOOP), "input-ignored")
        is not None
    )
    assert found(diagnose_code(DATA + IGNORED.format(change="pass") + LOOP), "input-ignored") is None


DETACHED = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body, self.head = nn.Linear(8, 16), nn.Linear(16, 4)

    def forward(self, x):
        h = torch.relu(self.body(x))
        {change}
        return self.head(h)

net = Net()
"""


@pytest.mark.parametrize("change", ["h = h.detach()", "h = torch.tensor(h.detach().numpy())"])
def test_a_cut_in_forward_is_found_at_its_line(change: str) -> None:
    program = DATA + DETACHED.format(change=change) + LOOP
    finding = found(diagnose_code(program), "detached-graph")
    assert finding is not None
    assert finding.where.line == line_of(program, "detach()")


def test_losses_read_for_printing_cut_nothing() -> None:
    program = (
        DATA
        + DETACHED.format(change="pass")
        + LOOP.replace("    opt.step()", "    opt.step()\n    loss.item(), loss.detach()")
    )
    assert found(diagnose_code(program), "detached-graph") is None


BROADCAST = """
x = torch.randn(48, 8)
y = x.sum(1)
net = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 1))
opt = torch.optim.Adam(net.parameters(), lr=1e-2)
for step in range(12):
    out = net(x){squeeze}
    loss = ((out - y) ** 2).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
"""


def test_a_difference_of_all_pairs_is_found() -> None:
    program = BROADCAST.format(squeeze="")
    finding = found(diagnose_code(program), "shape-broadcast")
    assert finding is not None
    assert finding.where.line == line_of(program, "out - y")
    assert found(diagnose_code(BROADCAST.format(squeeze=".squeeze(1)")), "shape-broadcast") is None
    silent = "import warnings\nwarnings.simplefilter('ignore')\n"
    library = silent + program.replace("((out - y) ** 2).mean()", "F.mse_loss(out, y)")
    assert found(diagnose_code(library), "shape-broadcast") is not None
