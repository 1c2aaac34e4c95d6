"""Any picture comes to the network's size and channels, and boxes find their way there and back."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scenes import frozen, scene
from sklearn.datasets import load_sample_image

from osler.imaging.fit import FitTo
from osler.imaging.geometry import OUTSIDE
from osler.structures.preprocessing import Preprocessing
from osler.structures.sample import Sample

SIZES = st.tuples(st.integers(1, 90), st.integers(1, 90))
FITS = st.sampled_from(["stretch", "crop", "pad"])


@pytest.mark.craft("DA09")
@given(SIZES, SIZES, FITS, st.sampled_from([1, 3]), st.sampled_from([1, 3]), st.sampled_from([1.0, 0.875]))
@settings(max_examples=120, deadline=None)
def test_every_picture_fits(size: tuple, target: tuple, fit: str, before: int, after: int, fraction: float) -> None:
    preprocessing = Preprocessing(size=target, channels=after, fit=fit, crop_fraction=fraction)
    fitted = FitTo(preprocessing)(Sample(np.zeros((*size, before), np.uint8)))
    assert fitted.image.shape == (*target, after)


@pytest.mark.craft("DA09")
@given(st.tuples(st.integers(8, 400), st.integers(8, 400)), st.tuples(st.integers(8, 200), st.integers(8, 200)), FITS)
@settings(max_examples=120, deadline=None)
def test_boxes_go_to_the_input_and_back(size: tuple, target: tuple, fit: str) -> None:
    placement = FitTo(Preprocessing(size=target, fit=fit)).place(*size)
    height, width = size
    boxes = np.array([[0, 0, width, height], [width / 4, height / 3, width / 2, height / 2]], np.float32)
    assert np.allclose(placement.to_picture(placement.to_input(boxes)), boxes, atol=1e-2)
    everything = placement.to_input(boxes[:1])[0]
    slack = 0.01 + 7 * max(placement.scale)  # where a JPEG is reduced, its last few pixels may be cut off
    if fit == "pad":
        assert (everything >= -0.01).all()
        assert everything[2] <= target[1] + slack
        assert everything[3] <= target[0] + slack
        assert np.isclose(everything[2] - everything[0], target[1], atol=1) or np.isclose(
            everything[3] - everything[1], target[0], atol=1
        )
    if fit == "stretch":
        assert np.allclose(everything, [0, 0, target[1], target[0]], atol=slack)


@pytest.mark.parametrize("fit", ["stretch", "crop", "pad"])
def test_the_placement_is_where_the_truth_went(fit: str) -> None:
    fit_to = FitTo(Preprocessing(size=(50, 40), fit=fit))
    sample = frozen(scene([(24, 16, 40, 30)]))
    fitted = fit_to(sample)
    assert np.allclose(fit_to.place(48, 64).to_input(sample.objects.boxes), fitted.objects.boxes, atol=1e-4)


@pytest.mark.craft("DA09")
def test_a_letter_box_keeps_the_shape_and_fills_with_the_mean() -> None:
    preprocessing = Preprocessing(size=(60, 60), fit="pad", mean=(0.2, 0.5, 0.9))
    sample = frozen(scene([(8, 8, 40, 40)], height=40, width=80))
    fitted = FitTo(preprocessing)(sample)
    assert fitted.image[0, 0].tolist() == fitted.image[-1, -1].tolist() == [51, 128, 230]
    assert (fitted.segmentation[:15] == OUTSIDE).all()
    assert (fitted.segmentation[15:45] != OUTSIDE).all()
    assert np.allclose(fitted.objects.boxes, [[6, 21, 30, 45]])


def test_crop_agrees_with_resize_then_centre_crop() -> None:
    photo = load_sample_image("flower.jpg")  # 427 x 640
    fitted = FitTo(Preprocessing(size=(224, 224), fit="crop", crop_fraction=0.875))(Sample(photo)).image
    resized = Image.fromarray(photo).resize((384, 256), Image.Resampling.BILINEAR).crop((80, 16, 304, 240))
    error = np.mean((fitted.astype(float) - np.asarray(resized)) ** 2)
    assert 10 * np.log10(255**2 / error) > 35


def test_a_picture_that_fits_already_passes_through() -> None:
    sample = Sample(np.zeros((32, 32, 3), np.uint8))
    assert FitTo(Preprocessing(size=(32, 32)))(sample) is sample
