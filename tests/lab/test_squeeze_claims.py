import pytest

from osler.lab.squeeze_claims import CHANNELS, gates_on_off


@pytest.mark.craft("LW12", "SA10")
def test_gates_on_and_off() -> None:
    """A few hundred parameters; the accuracy stays at least where it was."""
    table = gates_on_off(reduction=8)
    added = table["on"].parameters - table["off"].parameters
    assert added == sum(2 * (2 * c * c // 8 + c // 8 + c) for c in CHANNELS)
    assert added < 0.05 * table["off"].parameters
    assert table["off"].accuracy > 0.9
    assert table["on"].accuracy > table["off"].accuracy - 0.02
    assert all(row.milliseconds > 0 for row in table.values())
