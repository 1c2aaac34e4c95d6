"""A third of wrong training labels is named; clean labels, and classes that overlap by nature, are not."""

import pytest
from data_programs import CLEAN, HEAD, LOOP, program
from planted import diagnose_code, found, line_of

FAULT = "label-noise"
SPOILT = (
    CLEAN.replace("(320, 1)", "(600, 1)")
    + "wrong = torch.rand(len(ytr)) < 0.35\nytr[wrong] = torch.randint(0, 4, (int(wrong.sum()),))\n"
)
OVERLAPPING = """
def draw(n, seed):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, n)
    return torch.tensor(rng.normal(0, 1, (n, 5)) + 0.8 * y[:, None]).float(), torch.tensor(y)
xtr, ytr = draw(600, 1)
xte, yte = draw(300, 2)
net = nn.Sequential(nn.Linear(5, 16), nn.ReLU(), nn.Linear(16, 2))
opt = torch.optim.Adam(net.parameters(), lr=1e-3)
"""


def test_spoilt_labels_are_named_where_they_are_written_over() -> None:
    source = program(SPOILT)
    finding = found(diagnose_code(source, head=HEAD), FAULT)
    assert finding is not None
    assert finding.where.line is not None
    assert abs(finding.where.line - line_of(source, "ytr[wrong]", head=HEAD)) <= 1


@pytest.mark.parametrize(
    "source", [program(CLEAN.replace("(320, 1)", "(600, 1)")), OVERLAPPING + LOOP.format(epochs=3)]
)
def test_clean_and_overlapping_classes_are_let_be(source: str) -> None:
    assert found(diagnose_code(source, head=HEAD), FAULT) is None
