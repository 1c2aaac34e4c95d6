"""Kernels that do not vary, while a training runs and no longer."""

import pytest
import torch

import osler
from osler.training.observer import Observer


class Looks(Observer):
    def __init__(self):
        self.seen = []

    def batch_done(self, training):
        self.seen.append(torch.are_deterministic_algorithms_enabled())


@pytest.mark.parametrize("wanted", [True, False])
def test_what_is_asked_holds_while_the_training_runs_and_is_undone_after(tmp_path, wanted):
    looks = Looks()
    words = ["data.limit=40", "epochs=1", "model.name=convnet", "model.options.widths=[8]", f"deterministic={wanted}"]
    osler.train(overrides=words, observers=[looks], out=tmp_path / "run", quiet=True)
    assert set(looks.seen) == {wanted}
    assert not torch.are_deterministic_algorithms_enabled()
