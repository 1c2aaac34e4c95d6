"""Where convolution helps and where its assumptions do not hold."""

import pytest
import torch

from osler.lab.plain_training import fit, mlp
from osler.lab.small_sets import digits
from osler.lab.where_convolution_fits import shifted_digits, shuffled_pixels


@pytest.mark.craft("AR25")
def test_shared_weights_find_digits_anywhere_with_fewer_of_them() -> None:
    kinds = shifted_digits(samples=500, epochs=14, seeds=(0,))
    convolutional, connected = kinds["convolutional"], kinds["fully connected"]
    assert convolutional.parameters < connected.parameters / 3
    assert connected.before > 0.85, "in one place it reads them"
    assert convolutional.before > 0.85
    assert connected.after < 0.3
    assert convolutional.after > connected.after + 0.25


@pytest.mark.craft("AR26")
def test_without_neighbours_the_advantage_is_gone() -> None:
    kinds = shuffled_pixels()
    convolutional, connected = kinds["convolutional"], kinds["fully connected"]
    assert convolutional.lost > 0.015
    assert abs(connected.lost) < 0.01
    assert convolutional.before > connected.before
    assert convolutional.after < connected.after


@pytest.mark.craft("AR26")
def test_a_fully_connected_layer_knows_no_neighbours() -> None:
    """With its first weights in the same order as the pixels, it learns the same to the last digits."""
    data, order = digits(100), torch.randperm(64, generator=torch.Generator().manual_seed(1))
    plain, shuffled = mlp(64, 16, 10).double(), mlp(64, 16, 10).double()
    with torch.no_grad():
        shuffled[0].weight.copy_(shuffled[0].weight[:, order].clone())
    fit(plain, data.x.double(), data.y, epochs=3)
    fit(shuffled, data.x[:, order].double(), data.y, epochs=3)
    with torch.no_grad():
        answers = plain(data.x_test.double()), shuffled(data.x_test[:, order].double())
    torch.testing.assert_close(*answers, rtol=1e-9, atol=1e-9)
