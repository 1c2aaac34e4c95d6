"""Labels that lost their pictures are named at the shuffle; pairs that were shuffled together are not."""

import pytest
from data_programs import HEAD, program
from planted import diagnose_code, found, line_of

FAULT = "labels-shuffled"
DATA = """
x, y = pictures(420, 1)
{shuffle}
xtr, ytr, xte, yte = torch.tensor(x[:300]), torch.tensor(y[:300]), torch.tensor(x[300:]), torch.tensor(y[300:])
"""
TOGETHER = "order = np.random.permutation(len(x))\nx, y = x[order], y[order]"
UNLIKE = "order = np.random.permutation(len(x))\nx = x[order]\nother = np.random.permutation(len(x))\ny = y[other]"


@pytest.mark.craft("TD02")
@pytest.mark.parametrize(
    ("shuffle", "text"),
    [
        ("np.random.shuffle(x)", "np.random.shuffle(x)"),
        ("np.random.shuffle(y)", "np.random.shuffle(y)"),
        (UNLIKE, "x = x[order]"),
    ],
)
def test_one_side_shuffled_alone_is_named(shuffle: str, text: str) -> None:
    source = program(DATA.format(shuffle=shuffle), epochs=8)
    finding = found(diagnose_code(source, head=HEAD), FAULT)
    assert finding is not None
    assert finding.where.line is not None
    assert abs(finding.where.line - line_of(source, text, head=HEAD)) <= 2


def test_a_regression_with_one_side_shuffled_is_named() -> None:
    source = """
    x = np.random.uniform(-1, 1, (400, 2)).astype("float32")
    y = x[:, :1] - x[:, 1:]
    np.random.shuffle(x)
    x, y = torch.tensor(x), torch.tensor(y)
    net = nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, 1))
    opt = torch.optim.Adam(net.parameters(), lr=1e-2)
    for epoch in range(5):
        for idx in torch.randperm(300).split(30):
            opt.zero_grad()
            F.mse_loss(net(x[idx]), y[idx]).backward()
            opt.step()
    """
    finding = found(diagnose_code(source, head=HEAD), FAULT)
    assert finding is not None
    assert finding.where.line == line_of(source, "np.random.shuffle", head=HEAD)


@pytest.mark.parametrize(
    "shuffle", ["", TOGETHER, "np.random.seed(3)\nnp.random.shuffle(x)\nnp.random.seed(3)\nnp.random.shuffle(y)"]
)
def test_pairs_that_stay_together_are_let_be(shuffle: str) -> None:
    assert found(diagnose_code(program(DATA.format(shuffle=shuffle)), head=HEAD), FAULT) is None
