import inspect

import pytest
import torch

from osler.losses.registry import losses
from osler.structures.errors import UnknownNameError

NAMED = [
    "mse",
    "mae",
    "huber",
    "hinge",
    "cross_entropy",
    "bce",
    "kl",
    "focal",
    "dice",
    "iou",
    "giou",
    "diou",
    "ciou",
    "contrastive",
    "triplet",
]


@pytest.mark.craft("LO02")
@pytest.mark.parametrize("name", NAMED)
def test_the_losses_that_the_field_names_are_there(name):
    assert losses[name].about
    assert losses[name].fits


@pytest.mark.craft("LO02")
@pytest.mark.parametrize("name", sorted(losses))
def test_a_loss_of_outputs_and_target_reduces_as_torch_does(name):
    known = losses[name]
    if "reduction" not in inspect.signature(known.function).parameters:
        assert known.fits == ("players",)
        return
    given = arguments(name)
    each = known.function(*given, reduction="none")
    assert known.function(*given).ndim == 0
    assert torch.allclose(known.function(*given, reduction="sum"), each.sum())
    assert torch.allclose(known.function(*given, reduction="mean"), each.mean())
    with pytest.raises(ValueError, match="middle"):
        known.function(*given, reduction="middle")


def arguments(name):
    generator = torch.Generator().manual_seed(0)
    rows = torch.rand(6, 4, generator=generator)
    if name in ("iou", "giou", "diou", "ciou"):
        boxes = torch.cat([rows[:, :2], rows[:, :2] + rows[:, 2:] + 0.1], dim=1)
        return boxes, boxes.flip(0)
    if name == "triplet":
        return rows, rows.flip(0), rows.roll(1, 0)
    if name == "contrastive":
        return rows, rows.flip(0), torch.tensor([0.0, 1, 0, 1, 0, 1])
    if name == "mask":
        return torch.randn(6, 3, 4, 4, generator=generator), torch.ones(6, 4, 4), torch.tensor([0, 1, 2, 0, 1, 2])
    if name in ("cross_entropy", "kl", "focal"):
        return torch.randn(6, 4, generator=generator), torch.softmax(rows, dim=1)
    return torch.randn(6, 4, generator=generator), (rows > 0.5).float()


def test_a_misspelled_loss_offers_the_nearest():
    with pytest.raises(UnknownNameError, match="cross_entropy"):
        losses["crossentropy"]
