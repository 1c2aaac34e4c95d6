"""Greedy layer-wise pretraining, then fine-tuning: deep networks of sigmoid units that learn."""

import pytest

from osler.lab.greedy_claims import after_pretraining


@pytest.mark.craft("FB14")
def test_a_deep_sigmoid_network_is_stuck_without_pretraining_and_trains_with_it() -> None:
    stuck = after_pretraining("none", epochs=12, seeds=(0,))
    assert stuck.mean < 0.15
    assert min(stuck.train_losses) > 2.2  # log(10) is guessing
    for start in ("boltzmann", "autoencoder"):
        found = after_pretraining(start, pretraining_epochs=15, epochs=12, seeds=(0,))
        assert found.mean > 0.9, start
        assert max(found.train_losses) < 0.2
        assert [layer.number for layer in found.logs] == [1, 2, 3, 4, 5]
        assert all(layer.errors[-1] < 0.5 * layer.errors[0] for layer in found.logs)


@pytest.mark.slow
@pytest.mark.craft("FB14")
def test_every_kind_of_pretraining_does_over_four_seeds() -> None:
    assert max(after_pretraining("none", seeds=range(4)).accuracies) < 0.15
    for start in ("boltzmann", "autoencoder", "denoising"):
        assert min(after_pretraining(start, seeds=range(4)).accuracies) > 0.93, start


@pytest.mark.slow
def test_with_few_labels_unlabelled_pictures_help_a_shallow_network_on_every_seed() -> None:
    """Measured with 5 labels a class, over three seeds: 83.7 % without, 86.6 % by machines, 85.4 % by denoising."""
    shallow = {"widths": (128,), "labels": 50, "pretraining_epochs": 40, "epochs": 60, "seeds": (0, 1, 2)}
    without = after_pretraining("none", **shallow).accuracies
    for start in ("boltzmann", "denoising"):
        found = after_pretraining(start, **shallow).accuracies
        assert all(b > a for a, b in zip(without, found, strict=True)), start
