import pytest

from osler.lab.squeeze_claims import CHANNELS, gates_on_off


@pytest.mark.craft("LW12")
def test_gates_on_and_off() -> None:
    """Few parameters and some time; so small a network neither needs them nor suffers from them."""
    table = gates_on_off(reduction=8)
    added = table["on"].parameters - table["off"].parameters
    assert added == sum(2 * (2 * c * c // 8 + c // 8 + c) for c in CHANNELS)
    assert added < 0.05 * table["off"].parameters
    assert table["off"].accuracy > 0.9
    assert table["on"].accuracy == pytest.approx(table["off"].accuracy, abs=0.04)
    assert all(row.milliseconds > 0 for row in table.values())
