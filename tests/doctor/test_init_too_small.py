"""Weights so small that the signal is gone are told; small ones that train, or that a norm scales up, are not."""

import pytest
from planted import diagnose_code, found, line_of
from test_init_too_large import program


@pytest.mark.craft("TD09")
@pytest.mark.parametrize("init", ["nn.init.uniform_(m.weight, -0.01, 0.01)", "m.weight.data.normal_(0, 0.003)"])
def test_a_signal_that_is_gone(init: str) -> None:
    sick = program(init)
    finding = found(diagnose_code(sick), "init-too-small")
    assert finding is not None
    assert finding.where.line == line_of(sick, init)


@pytest.mark.parametrize(
    "healthy",
    [
        program("nn.init.normal_(m.weight, 0, 0.1)"),
        program("nn.init.normal_(m.weight, 0, 0.01)", norm="nn.BatchNorm1d(64)"),
        program(more="nn.init.normal_(self.fc4.weight, 0, 0.001)"),
    ],
)
def test_small_starts_that_train(healthy: str) -> None:
    assert found(diagnose_code(healthy), "init-too-small") is None
