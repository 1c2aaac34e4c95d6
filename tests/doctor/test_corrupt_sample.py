"""Blank pictures among lively ones, and a decoder's error, are named; small things on an empty ground are not."""

import pytest
from data_programs import CLEAN, HEAD, program
from planted import diagnose_code, found, line_of

FAULT = "corrupt-sample"
READING = """
def read(k, x):
    try:
        if k % 15 == 0:
            raise OSError("broken")
        return x[k]
    except OSError:
        return np.zeros((1, 8, 8), "float32")
x, y = pictures(320, 1)
xtr, ytr = torch.tensor(np.stack([read(k, x) for k in range(len(x))])), torch.tensor(y)
x, y = pictures(120, 2)
xte, yte = torch.tensor(x), torch.tensor(y)
"""


def test_zeros_in_place_of_pictures_are_named_where_they_are_put() -> None:
    source = program(READING, epochs=3)
    finding = found(diagnose_code(source, head=HEAD), FAULT)
    assert finding is not None
    assert finding.where.line == line_of(source, "return np.zeros", head=HEAD)
    assert "6.9%" in finding.evidence  # 22 of 320


def test_a_file_that_cannot_be_decoded_is_named() -> None:
    source = (
        "import io\nfrom PIL import Image\nfor k in range(3):\n    picture = Image.open(io.BytesIO(b'no picture'))\n"
    )
    finding = found(diagnose_code(source, head=HEAD), FAULT)
    assert finding is not None
    assert finding.where.line == line_of(source, "Image.open", head=HEAD)


SMALL_SPOTS = """
def spots(n, seed):
    rng = np.random.default_rng(seed)
    x, y = np.zeros((n, 1, 40, 40), "float32"), rng.integers(0, 2, n)
    for k in range(n):
        r, c = rng.integers(2, 36, 2)
        x[k, 0, r:r + 2, c:c + 2] = 1 + y[k]
    return torch.tensor(x), torch.tensor(y)
xtr, ytr = spots(200, 1)
xte, yte = spots(60, 2)
"""
NET = """
net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(4, 2))
opt = torch.optim.Adam(net.parameters(), lr=3e-3)
"""


@pytest.mark.parametrize("source", [program(CLEAN, epochs=2), program(SMALL_SPOTS, net=NET, epochs=2)])
def test_lively_pictures_and_small_things_are_let_be(source: str) -> None:
    assert found(diagnose_code(source, head=HEAD), FAULT) is None
