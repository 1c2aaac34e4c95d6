"""A few samples learnt by heart are named where their number stands; enough, or few that suffice, are not."""

import pytest
from data_programs import HEAD, program
from planted import diagnose_code, found, line_of

FAULT = "too-few-samples"
DATA = """
count = {count}
x, y = pictures(600, 1)
x = x + np.random.normal(0, {noise}, x.shape).astype("float32")
xtr, ytr = torch.tensor(x[:count]), torch.tensor(y[:count])
xte, yte = torch.tensor(x[400:]), torch.tensor(y[400:])
"""


def test_a_handful_learnt_by_heart_is_named() -> None:
    source = program(DATA.format(count=24, noise=0.8), epochs=60)
    finding = found(diagnose_code(source, head=HEAD), FAULT)
    assert finding is not None
    assert finding.where.line == line_of(source, "count = 24", head=HEAD)
    assert "24 different samples" in finding.evidence


@pytest.mark.parametrize(("count", "noise", "epochs"), [(400, 0.8, 6), (40, 0.05, 20)])
def test_enough_samples_or_easy_ones_are_let_be(count: int, noise: float, epochs: int) -> None:
    assert found(diagnose_code(program(DATA.format(count=count, noise=noise), epochs=epochs), head=HEAD), FAULT) is None
