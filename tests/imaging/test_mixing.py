"""mixup and CutMix mix pictures and targets in the same shares, repeatably, and leave the batch as it was."""

import numpy as np
import pytest
import torch

from osler.imaging.mixing import CutMix, Either, Mixup, draw_share, soft_target
from osler.structures.batch import Batch
from osler.structures.errors import RecipeError


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def batch(size: int = 8, target: object = None) -> Batch:
    """Picture i is i + 1 everywhere, so that a mixture says what it is made of."""
    images = (torch.arange(size) + 1.0).view(-1, 1, 1, 1).expand(-1, 3, 12, 16)
    images = images.clone(memory_format=torch.channels_last)
    return Batch(images, torch.arange(size) if target is None else target, torch.arange(size))


@pytest.mark.parametrize("seed", range(5))
def test_mixup_averages_pictures_and_classes_alike(seed: int) -> None:
    mixed = Mixup(1.0, num_classes=8)(batch(), generator(seed))
    assert mixed.target.shape == (8, 8)
    assert torch.allclose(mixed.target.sum(1), torch.ones(8))
    expected = mixed.target @ (torch.arange(8) + 1.0)
    assert torch.allclose(mixed.images, expected.view(-1, 1, 1, 1).expand_as(mixed.images), atol=1e-5)
    assert mixed.images.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("seed", range(8))
def test_cutmix_shares_by_area(seed: int) -> None:
    mixed = CutMix(1.0, num_classes=8)(batch(), generator(seed))
    for i in range(8):
        share = torch.stack([(mixed.images[i, 0] == j + 1).float().mean() for j in range(8)])
        assert torch.allclose(mixed.target[i], share, atol=1e-6)
        foreign = (mixed.images[i] != i + 1).any(0)
        rows, columns = foreign.any(1), foreign.any(0)
        assert foreign.sum() == rows.sum() * columns.sum()  # one rectangle


@pytest.mark.parametrize("transform", [Mixup(0.4, 8), CutMix(1.0, 8), Either(Mixup(0.4, 8), CutMix(1.0, 8))])
def test_repeatable_and_input_untouched(transform: object) -> None:
    torch.manual_seed(0)
    before = torch.random.get_rng_state()
    given = batch()
    first, again, other = (transform(given, generator(s)) for s in (3, 3, 4))
    assert torch.equal(first.images, again.images)
    assert torch.equal(first.target, again.target)
    assert not torch.equal(first.target, other.target)
    assert torch.equal(given.images, batch().images)
    assert torch.equal(given.target, torch.arange(8))
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.parametrize(("alpha", "spread"), [(0.2, 0.423), (1.0, 0.289), (4.0, 0.167)])
def test_shares_are_drawn_from_beta(alpha: float, spread: float) -> None:
    drawn = generator(1)
    shares = np.array([draw_share(alpha, drawn) for _ in range(2000)])
    assert abs(shares.mean() - 0.5) < 0.03
    assert abs(shares.std() - spread) < 0.015  # 1 / sqrt(4 (2 alpha + 1))
    assert shares.min() >= 0
    assert shares.max() <= 1


def test_labels_and_numbers_are_averaged_as_they_are() -> None:
    labels = torch.tensor([[1, 0], [0, 1], [1, 1], [0, 0]], dtype=torch.uint8)
    mixed = Mixup(1.0)(batch(4, labels), generator())
    assert mixed.target.dtype == torch.float32
    assert mixed.target.shape == (4, 2)
    assert ((mixed.target >= 0) & (mixed.target <= 1)).all()
    numbers = (torch.arange(4) + 1.0)[:, None]
    mixed = Mixup(1.0)(batch(4, numbers), generator())
    assert torch.allclose(mixed.target[:, 0], mixed.images[:, 0, 0, 0])
    assert soft_target(numbers, 0) is numbers


def test_either_uses_both() -> None:
    either, drawn = Either(Mixup(1.0, 8), CutMix(1.0, 8)), generator()
    cut = [bool((either(batch(), drawn).images.flatten(1).std(1) > 0).any()) for _ in range(200)]
    assert 0.35 < np.mean(cut) < 0.65


def test_targets_that_cannot_be_mixed() -> None:
    with pytest.raises(RecipeError, match="num_classes"):
        Mixup(1.0)(batch(), generator())
    with pytest.raises(RecipeError, match="average the targets"):
        CutMix(1.0, 8)(batch(4, [{"boxes": None}] * 4), generator())
