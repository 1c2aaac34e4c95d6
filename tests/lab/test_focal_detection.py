"""The focal loss in a detector of one stage, measured."""

from itertools import pairwise

import pytest

from osler.lab.detector_fitting import fit_detector
from osler.lab.focal_detection import FOCUSES, background_shares, focus_sweep, rare_objects, small_retinanet


@pytest.mark.craft("DE34")
def test_a_stronger_focus_leaves_background_a_smaller_share_of_the_loss() -> None:
    images, truths = rare_objects(8)
    model = fit_detector(small_retinanet(2.0), images, truths, steps=20)
    shares = background_shares(model, images, truths)
    assert len(shares) == len(FOCUSES)
    assert all(later < earlier for earlier, later in pairwise(shares))
    assert shares[0] > 0.3
    assert shares[-1] < shares[0] / 3


@pytest.mark.craft("DE34")
def test_where_objects_are_rare_the_focal_loss_finds_more_than_cross_entropy() -> None:
    plain, focal = focus_sweep((0.0, 2.0))
    assert (plain.gamma, focal.gamma) == (0, 2)
    assert focal.ap50 > plain.ap50 + 0.3
    assert focal.ap50 > 0.5
