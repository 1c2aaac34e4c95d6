"""Weights that never change are named, whatever keeps them; a network through which an input is optimised is not."""

from planted import diagnose_code, found, line_of

PROGRAM = """
x, y = torch.randn(64, 8), torch.randint(4, (64,))
net = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4))
opt = torch.optim.SGD(net.parameters(), lr={rate})
for step in range(20):
    opt.zero_grad()
    F.cross_entropy(net(x), y).backward()
    opt.step()
"""


def test_a_rate_of_nothing_is_found() -> None:
    program = PROGRAM.format(rate="0.0")
    finding = found(diagnose_code(program), "no-update")
    assert finding is not None
    assert finding.where.line == line_of(program, "opt = ")
    assert "its rate is 0" in finding.evidence


def test_updates_by_hand_that_are_not_written_back_are_found() -> None:
    program = """
    x, y = torch.randn(64, 8), torch.randint(4, (64,))
    net = nn.Linear(8, 4)
    for step in range(20):
        net.zero_grad()
        F.cross_entropy(net(x), y).backward()
        with torch.no_grad():
            for p in net.parameters():
                p = p - 0.1 * p.grad
    """
    finding = found(diagnose_code(program), "no-update")
    assert finding is not None
    assert finding.where.line == line_of(program, "p = p")


def test_weights_that_are_put_back_at_every_step_are_found() -> None:
    program = """
    x, y = torch.randn(64, 8), torch.randint(4, (64,))
    net = nn.Linear(8, 4)
    kept = {k: v.clone() for k, v in net.state_dict().items()}
    opt = torch.optim.SGD(net.parameters(), lr=0.1)
    for step in range(20):
        opt.zero_grad()
        F.cross_entropy(net(x), y).backward()
        opt.step()
        net.load_state_dict(kept)
    """
    finding = found(diagnose_code(program), "no-update")
    assert finding is not None
    assert finding.where.line == line_of(program, "load_state_dict")


def test_what_moves_is_let_be() -> None:
    assert found(diagnose_code(PROGRAM.format(rate="0.1")), "no-update") is None


def test_updates_by_hand_are_let_be() -> None:
    program = """
    x, y = torch.randn(64, 8), torch.randint(4, (64,))
    net = nn.Linear(8, 4)
    for step in range(20):
        net.zero_grad()
        F.cross_entropy(net(x), y).backward()
        with torch.no_grad():
            for p in net.parameters():
                p -= 0.1 * p.grad
    """
    assert found(diagnose_code(program), "no-update") is None


def test_an_optimised_input_is_let_be() -> None:
    program = """
    net = nn.Sequential(nn.Linear(8, 16), nn.Tanh())
    image = torch.zeros(1, 8, requires_grad=True)
    opt = torch.optim.Adam([image], lr=0.1)
    for step in range(20):
        opt.zero_grad()
        (net(image) - 0.5).square().mean().backward()
        opt.step()
    """
    diagnosis = diagnose_code(program)
    assert found(diagnosis, "no-update") is None
    assert found(diagnosis, "optimizer-misses-parameters") is None
