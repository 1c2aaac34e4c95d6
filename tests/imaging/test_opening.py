"""Opening a file through its transforms gives what decoding it first would have given."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scenes import scene
from sklearn.datasets import load_sample_image

from osler.imaging.crops import RandomResizedCrop
from osler.imaging.decode import EncodedPicture, UnreadableError
from osler.imaging.fit import FitTo
from osler.imaging.flips import HorizontalFlip
from osler.imaging.opening import open_sample, undecoded
from osler.structures.preprocessing import Preprocessing

FIRST = {
    "crop at random": RandomResizedCrop((48, 48)),
    "large crop": RandomResizedCrop((48, 48), scale=(0.9, 1.0)),
    "stretch": FitTo(Preprocessing(size=(48, 64), fit="stretch")),
    "crop": FitTo(Preprocessing(size=(48, 48), fit="crop", crop_fraction=0.875)),
    "letter-box": FitTo(Preprocessing(size=(48, 48), fit="pad")),
    "grey": FitTo(Preprocessing(size=(48, 48), channels=1, mean=(0.5,), std=(0.5,))),
    "flip": HorizontalFlip(1.0),
}


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / max(1e-6, np.mean((a.astype(float) - b) ** 2))))


@pytest.mark.parametrize("name", FIRST)
@pytest.mark.parametrize("kind", ["a.jpg", "a.png"])
def test_as_if_decoded_first(tmp_path: Path, name: str, kind: str) -> None:
    Image.fromarray(load_sample_image("flower.jpg")).save(tmp_path / kind)
    picture = EncodedPicture.open(tmp_path / kind)
    objects = scene([(100, 60, 300, 240)], height=427, width=640).objects
    for seed in range(6):
        opened_rng, decoded_rng = np.random.default_rng(seed), np.random.default_rng(seed)
        sample = undecoded(picture, target=4, objects=objects, index=7)
        opened = open_sample(picture, sample, [FIRST[name], HorizontalFlip()], opened_rng)
        decoded = HorizontalFlip()(FIRST[name](sample.with_image(picture.read()), decoded_rng), decoded_rng)
        assert psnr(opened.image, decoded.image) > (35 if kind == "a.jpg" else 99)
        assert np.allclose(opened.objects.boxes, decoded.objects.boxes)
        assert (opened.target, opened.index) == (4, 7)
        assert opened_rng.random() == decoded_rng.random()


def test_without_transforms_the_picture_is_decoded(tmp_path: Path) -> None:
    Image.fromarray(load_sample_image("flower.jpg")).save(tmp_path / "a.png")
    picture = EncodedPicture.open(tmp_path / "a.png")
    opened = open_sample(picture, undecoded(picture), [], np.random.default_rng(0))
    assert np.array_equal(opened.image, load_sample_image("flower.jpg"))


def test_a_sample_not_decoded_has_a_shape_and_no_pixels_to_write(tmp_path: Path) -> None:
    Image.fromarray(load_sample_image("flower.jpg")).save(tmp_path / "a.jpg")
    image = undecoded(EncodedPicture.open(tmp_path / "a.jpg", channels=1)).image
    assert image.shape == (427, 640, 1)
    assert image.dtype == np.uint8
    with pytest.raises(ValueError, match="read-only"):
        image[0, 0] = 1


def test_damage_is_found_when_opened(tmp_path: Path) -> None:
    Image.fromarray(load_sample_image("flower.jpg")).save(tmp_path / "a.jpg")
    data = (tmp_path / "a.jpg").read_bytes()
    picture = EncodedPicture.of(data[: len(data) // 2], name="half.jpg")
    with pytest.raises(UnreadableError, match=r"half\.jpg is cut short"):
        open_sample(picture, undecoded(picture), [FIRST["crop"]], np.random.default_rng(0))
