"""Selective search as a proposer: it sees the bytes that were standardised, and does not search twice."""

import copy

import numpy as np
import pytest
import torch

from osler.imaging.selective_search import selective_search
from osler.models.detection import selective_proposals
from osler.models.detection.selective_proposals import SearchRule, SelectiveProposals
from osler.models.registry import create_model
from osler.structures.preprocessing import Preprocessing

ODD = Preprocessing(size=(40, 48), mean=(0.48, 0.46, 0.41), std=(0.23, 0.22, 0.31))
GREY = Preprocessing(size=(40, 48), channels=1, mean=(0.13,), std=(0.31,))


def bytes_of(channels: int = 3, pictures: int = 2, seed: int = 0) -> torch.Tensor:
    """Noise with a bright block, as pictures come: every value from 0 to 255 may be there."""
    rng = torch.Generator().manual_seed(seed)
    images = torch.randint(0, 256, (pictures, channels, 40, 48), generator=rng, dtype=torch.uint8)
    images[:, :, 8:30, 10:34] = 250
    return images


@pytest.fixture
def searches(monkeypatch: pytest.MonkeyPatch) -> list[np.ndarray]:
    """The pictures that were searched."""
    seen: list[np.ndarray] = []

    def search(image: np.ndarray, *args: object, **options: object) -> np.ndarray:
        seen.append(image)
        return selective_search(image, *args, **options)

    monkeypatch.setattr(selective_proposals, "selective_search", search)
    return seen


@pytest.mark.parametrize(("channels", "preprocessing"), [(3, ODD), (1, GREY)])
def test_it_sees_the_very_bytes(channels: int, preprocessing: Preprocessing) -> None:
    proposer, images = SelectiveProposals(channels), bytes_of(channels)
    images.view(-1)[:256] = torch.arange(256, dtype=torch.uint8)
    proposer.standardised_by(preprocessing)
    seen = proposer.pixels(preprocessing.standardise(images))
    np.testing.assert_array_equal(seen, images.permute(0, 2, 3, 1).numpy())


def test_its_regions_are_those_of_the_bytes() -> None:
    proposer, images = SelectiveProposals(3, SearchRule("single", most=7, smallest=4)), bytes_of()
    proposer.standardised_by(ODD)
    for found, image in zip(proposer(ODD.standardise(images)), images, strict=True):
        wanted = selective_search(image.permute(1, 2, 0).numpy(), selective_proposals.STRATEGIES["single"], smallest=4)
        np.testing.assert_array_equal(found.numpy(), wanted[:7])


def test_a_picture_that_comes_again_is_not_searched_again(searches: list[np.ndarray]) -> None:
    proposer, images = SelectiveProposals(3, SearchRule("single")), ODD.standardise(bytes_of())
    proposer.standardised_by(ODD)
    first, again = proposer(images), proposer(images.flip(0))
    assert len(searches) == 2
    for a, b in zip(first, reversed(again), strict=True):
        torch.testing.assert_close(a, b)
    first[0].zero_()  # what was handed out is the caller's
    assert proposer(images)[0].any()
    proposer(images.flip(3))
    assert len(searches) == 4


def test_it_remembers_the_latest_only(searches: list[np.ndarray]) -> None:
    proposer, images = SelectiveProposals(3, SearchRule("single"), remembered=2), ODD.standardise(bytes_of(pictures=3))
    proposer(images)
    proposer(images[1:])
    assert len(searches) == 3
    proposer(images[:1])
    assert len(searches) == 4


def test_what_it_found_in_an_evaluation_may_train() -> None:
    proposer, images = SelectiveProposals(3, SearchRule("single")), ODD.standardise(bytes_of())
    with torch.inference_mode():
        proposer(images)
    weight = torch.ones(4, requires_grad=True)
    (proposer(images)[0] * weight).sum().backward()
    assert weight.grad is not None


@pytest.mark.parametrize("name", ["fast_rcnn_light", "rcnn_light"])
def test_the_standardisation_reaches_the_search_and_is_saved_with_the_weights(name: str) -> None:
    options = {"backbone": {"name": "resnet18", "options": {"width": 0.125}}}
    model = create_model(name, num_classes=2, **options)
    assert model.preprocessing is None
    model.preprocessing = ODD
    assert model.preprocessing is ODD
    again = create_model(name, num_classes=2, **options)
    again.load_state_dict(copy.deepcopy(model.state_dict()))
    images = bytes_of()
    np.testing.assert_array_equal(again.proposals.pixels(ODD.standardise(images)), images.permute(0, 2, 3, 1).numpy())
