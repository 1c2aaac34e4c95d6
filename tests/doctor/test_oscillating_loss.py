"""A loss that swings without settling is named; the scatter of batches and losses near zero are not."""

import numpy as np
import pytest
from planted import diagnose_code, found

from osler.doctor.checks.oscillating_loss import swings

PROGRAM = """
x = torch.randn(512, 16)
y = (x @ torch.randn(16, 4)).argmax(1)
net = nn.Sequential(nn.Linear(16, 32), nn.Tanh(), nn.Linear(32, 4))
opt = torch.optim.SGD(net.parameters(), lr={rate}, momentum={momentum})
for epoch in range(12):
    for part in torch.randperm(512).split(32):
        opt.zero_grad()
        F.cross_entropy(net(x[part]), y[part]).backward()
        opt.step()
"""


@pytest.mark.craft("TD15", "TD17")
def test_a_loss_that_swings_is_found() -> None:
    program = PROGRAM.format(rate=0.3, momentum=0.99)
    finding = found(diagnose_code(program), "oscillating-loss")
    assert finding is not None
    assert finding.certainty <= 0.6


def test_a_loss_that_settles_is_let_be() -> None:
    assert found(diagnose_code(PROGRAM.format(rate=0.05, momentum=0.9)), "oscillating-loss") is None


def test_chance_gives_an_excess_near_one() -> None:
    draws = np.random.default_rng(0)
    excesses = [swings(draws.gamma(4, 0.1, size=240))[2] for _ in range(200)]
    assert 0.85 < float(np.mean(excesses)) < 1.1
    assert max(excesses) < 2.0  # the threshold: none of 200 runs of pure noise


def test_a_swing_is_seen_through_the_noise() -> None:
    draws = np.random.default_rng(1)
    wave = 1 + 0.3 * np.sin(np.linspace(0, 24, 240)) + draws.normal(0, 0.2, 240)
    swing, turns, excess = swings(wave)
    assert excess > 2.0
    assert turns >= 4
    assert 0.1 < swing < 0.3
