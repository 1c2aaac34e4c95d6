"""A second division is named; one, and inputs that are small for other reasons, are not."""

import pytest
from data_programs import CLEAN, HEAD, program
from planted import diagnose_code, found, line_of

FAULT = "input-scaled-twice"
RAW = """
def load(n, seed):
    x, y = pictures(n, seed)
    pixels = (x * 255).astype("uint8")
    return torch.tensor(pixels / 255, dtype=torch.float32), torch.tensor(y)
xtr, ytr = load(320, 1)
xte, yte = load(120, 2)
"""
AGAIN = RAW + "xtr = xtr / 255.0\nxte = xte / 255.0\n"
BY_OTHERS = RAW + "mean, std = 127.5, 127.5\nxtr = (xtr - mean) / std\nxte = (xte - mean) / std\n"


@pytest.mark.craft("TD03")
@pytest.mark.parametrize(("data", "text"), [(AGAIN, "xtr / 255.0"), (BY_OTHERS, "(xtr - mean) / std")])
def test_a_second_normalisation_is_named(data: str, text: str) -> None:
    source = program(data, epochs=2)
    finding = found(diagnose_code(source, head=HEAD), FAULT)
    assert finding is not None
    assert finding.where.line == line_of(source, text, head=HEAD)


@pytest.mark.parametrize(
    "data",
    [
        CLEAN,
        RAW,
        RAW + "xtr = (xtr - 0.5) / 0.5\nxte = (xte - 0.5) / 0.5\n",
        CLEAN + "xtr, xte = xtr * 0.2, xte * 0.2\n",
    ],
)
def test_one_normalisation_is_let_be(data: str) -> None:
    assert found(diagnose_code(program(data, epochs=2), head=HEAD), FAULT) is None
