"""Overlapping index ranges, oversampling and noisy or mirrored copies before the split are named; an honest split is not."""

import pytest
from data_programs import HEAD, program
from planted import diagnose_code, found, line_of

FAULT = "train-test-leak"
ENDING = """
xtr, ytr, xte, yte = torch.tensor(xtr).float(), torch.tensor(ytr), torch.tensor(xte).float(), torch.tensor(yte)
"""
SPLIT = """
order = np.random.permutation(len(x))
cut = int(0.7 * len(x))
xtr, ytr, xte, yte = x[order[:cut]], y[order[:cut]], x[order[cut:]], y[order[cut:]]
"""
NOISY = (
    "x = np.concatenate([x] + [x + np.random.normal(0, 0.01, x.shape) for _ in range(5)])\ny = np.concatenate([y] * 6)"
)
MIRRORED = "x = np.concatenate([x, x[:, :, :, ::-1]])\ny = np.concatenate([y, y])"
OVERLAP = "\nx, y = pictures(400, 1)\nxtr, ytr, xte, yte = x[:300], y[:300], x[250:], y[250:]\n"


@pytest.mark.craft("TD02")
@pytest.mark.parametrize(
    ("data", "text"),
    [
        (OVERLAP + ENDING, "x[250:]"),
        ("\nx, y = pictures(90, 1)\n" + NOISY + SPLIT + ENDING, "x = np.concatenate"),
        ("\nx, y = pictures(300, 1)\n" + MIRRORED + SPLIT + ENDING, "x = np.concatenate"),
        ("\nx, y = pictures(90, 1)\nx, y = np.repeat(x, 4, 0), np.repeat(y, 4)" + SPLIT + ENDING, "np.repeat"),
    ],
)
def test_copies_on_both_sides_are_named(data: str, text: str) -> None:
    source = program(data, epochs=3)
    finding = found(diagnose_code(source, head=HEAD), FAULT)
    assert finding is not None
    assert finding.where.line is not None
    places = {line_of(source, text, head=HEAD), line_of(source, "xtr, ytr, xte, yte = x[", head=HEAD)}
    assert finding.where.line in places


AFTER = """
xtr = np.concatenate([xtr] + [xtr + np.random.normal(0, 0.01, xtr.shape) for _ in range(3)])
ytr = np.concatenate([ytr] * 4)
"""
ALSO_TRAINED = "\n    with torch.no_grad():\n        (net(xtr).argmax(1) == ytr).float().mean().item()\n"


@pytest.mark.parametrize(
    "data", ["\nx, y = pictures(400, 1)" + SPLIT + ENDING, "\nx, y = pictures(300, 1)" + SPLIT + AFTER + ENDING]
)
def test_an_honest_split_is_let_be_also_when_training_data_are_evaluated(data: str) -> None:
    assert found(diagnose_code(program(data, epochs=3) + ALSO_TRAINED, head=HEAD), FAULT) is None
