"""Trained weights as a start."""

import pytest

from osler.lab.pretrained_start import epochs_to


@pytest.mark.parametrize("seed", [0, 1])
def test_trained_weights_reach_a_loss_in_fewer_epochs(seed: int) -> None:
    """Measured over four seeds: a loss of 0.5 after 3 or 4 epochs instead of 5."""
    arrival = epochs_to(seed=seed)
    assert arrival.from_trained < arrival.from_nothing < 12


@pytest.mark.slow
def test_the_lead_is_gone_when_both_have_learnt() -> None:
    """A loss of 0.1 after 9 or 10 epochs from either start."""
    late = [epochs_to(0.1, seed=seed) for seed in range(4)]
    assert all(abs(arrival.from_trained - arrival.from_nothing) <= 1 for arrival in late)
