"""AlexNet's colour noise moves each picture along the directions in which colours vary."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_sample_images
from sklearn.decomposition import PCA

from osler.imaging.pca_noise import IMAGENET_COLOURS, PCANoise, colour_components
from osler.structures.batch import Batch

STD = (0.2, 0.3, 0.4)


def batch(size: int) -> Batch:
    return Batch(torch.zeros(size, 3, 4, 5), torch.zeros(size), torch.arange(size))


def test_components_equal_scikit_learns() -> None:
    images = [i[::8, ::8] for i in load_sample_images().images]
    found = colour_components(images)
    pca = PCA().fit(np.concatenate([i.reshape(-1, 3) for i in images]) / 255)
    assert np.allclose(found.values, pca.explained_variance_, rtol=1e-3)
    assert np.allclose(np.abs((np.array(found.vectors) * pca.components_).sum(1)), 1, atol=1e-6)


def test_published_components_are_orthonormal_and_begin_with_light() -> None:
    vectors = np.array(IMAGENET_COLOURS.vectors)
    assert np.allclose(vectors @ vectors.T, np.eye(3), atol=1e-3)
    assert np.ptp(vectors[0]) < 0.05  # the first direction is grey: brighter or darker


def test_one_move_a_picture_with_the_published_covariance() -> None:
    moved = PCANoise(0.1, std=STD)(batch(20_000), torch.Generator().manual_seed(0)).images
    assert torch.equal(moved, moved[:, :, :1, :1].expand_as(moved))
    shifts = (moved[:, :, 0, 0] * torch.tensor(STD)).double()
    values, vectors = np.array(IMAGENET_COLOURS.values), np.array(IMAGENET_COLOURS.vectors)
    expected = 0.1**2 * vectors.T @ np.diag(values**2) @ vectors
    assert np.allclose(np.cov(shifts.numpy().T), expected, atol=expected.max() * 0.04)


def test_repeatable_and_off_at_zero() -> None:
    given = batch(4)
    first, again = (PCANoise(0.1)(given, torch.Generator().manual_seed(2)).images for _ in range(2))
    assert torch.equal(first, again)
    assert not given.images.any()
    assert not PCANoise(0.0)(given, torch.Generator()).images.any()


def test_grey_pictures_have_no_colour_components() -> None:
    with pytest.raises(ValueError, match="RGB"):
        colour_components([np.zeros((4, 4, 1), np.uint8)])
    with pytest.raises(ValueError, match="two pixels"):
        colour_components([])
