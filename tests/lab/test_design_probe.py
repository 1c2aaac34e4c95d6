"""Designs that do not fit the task: a fully connected network on moving things, a convolutional one on a shuffled table."""

import pytest
import torch

from osler.lab.design_probe import Design, Kind, probe_design
from osler.lab.layer_claims import scattered
from osler.lab.small_sets import digits

HELD = 400


def probe(kind: Kind, arrangement: str) -> Design:
    data = digits(600, test=HELD)
    x, y = torch.cat([data.x, data.x_test]), torch.cat([data.y, data.y_test])
    if arrangement == "shifted":
        pictures = scattered(x, side=16)
    else:
        order = torch.randperm(64, generator=torch.Generator().manual_seed(0))
        pictures = (x[:, order] if arrangement == "shuffled" else x).view(-1, 1, 8, 8)
    return probe_design(kind, pictures, y, held=HELD, seeds=(0,))


@pytest.mark.craft("TD12")
def test_a_fully_connected_network_on_shifted_digits_does_not_fit() -> None:
    found = probe("fully connected", "shifted")
    assert not found.fits
    assert min(found.of_other) > max(found.accuracies) + 0.1


@pytest.mark.craft("TD12")
def test_a_convolutional_network_on_shuffled_columns_does_not_fit_and_on_pictures_does() -> None:
    assert not probe("convolutional", "shuffled").fits
    assert probe("convolutional", "plain").fits
