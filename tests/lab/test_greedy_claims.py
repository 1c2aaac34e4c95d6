"""Greedy layer-wise pretraining, then fine-tuning: deep networks of sigmoid units that learn."""

import pytest

from osler.lab.greedy_claims import after_pretraining


@pytest.mark.craft("FB14")
def test_a_deep_sigmoid_network_is_stuck_without_pretraining_and_trains_with_it() -> None:
    stuck = after_pretraining("none")
    assert stuck.mean < 0.15
    assert min(stuck.train_losses) > 2.2  # log(10) is guessing
    for start in ("boltzmann", "autoencoder"):
        found = after_pretraining(start, seeds=(0,))
        assert found.mean > 0.95, start
        assert max(found.train_losses) < 0.1
        assert [layer.number for layer in found.logs] == [1, 2, 3, 4, 5]
        assert all(layer.errors[-1] < 0.3 * layer.errors[0] for layer in found.logs)


@pytest.mark.slow
@pytest.mark.craft("FB14")
def test_every_kind_of_pretraining_does_over_four_seeds() -> None:
    for start in ("boltzmann", "autoencoder", "denoising"):
        assert min(after_pretraining(start, seeds=range(4)).accuracies) > 0.93, start
