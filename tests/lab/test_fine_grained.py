import pytest
import torch

from osler.lab.fine_grained import look_alikes, pooling_on_look_alikes


@pytest.mark.craft("AR28")
def test_bilinear_pooling_tells_look_alikes_apart_better_than_average_pooling() -> None:
    found = pooling_on_look_alikes()
    for average, bilinear in zip(found.average, found.bilinear, strict=True):
        assert bilinear > average + 0.1
        assert bilinear > 0.8


def test_look_alikes_have_the_same_colours_and_the_same_bars() -> None:
    images, labels = look_alikes(60, noise=0.0)
    assert sorted(labels.unique().tolist()) == [0, 1, 2]
    assert (images.sum((2, 3)) == 3).all(), "three pixels of each colour in every picture"
    wide = (images.amax(2).sum(2) == 3).float()  # spread over three columns: lying or slanting
    tall = (images.amax(3).sum(2) == 3).float()
    bars = torch.stack([wide * (1 - tall), tall * (1 - wide), wide * tall], dim=2)  # picture, colour, bar
    assert (bars.sum(1) == 1).all(), "one of each bar in every picture"
    assert (bars[:, 0].argmax(1) == labels).all(), "red tells the class"
