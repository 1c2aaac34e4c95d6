"""The recipe's augment section becomes transforms that fit the pictures, the input and the truth."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_sample_image

from osler.imaging.affine import Affine
from osler.imaging.augment import PRESETS, Augmentation, build_augmentation
from osler.imaging.colour import ColorJitter
from osler.imaging.crops import RandomResizedCrop
from osler.imaging.fit import FitTo
from osler.imaging.flips import HorizontalFlip, VerticalFlip
from osler.imaging.mixing import CutMix, Either, Mixup
from osler.imaging.pad import PadCrop
from osler.imaging.pca_noise import PCANoise
from osler.imaging.recipe import AugmentSection
from osler.imaging.transform import Compose, batch_transforms, sample_transforms
from osler.structures.batch import Batch
from osler.structures.errors import RecipeError
from osler.structures.preprocessing import Preprocessing
from osler.structures.sample import Sample


def built(
    channels: int = 3, typical: tuple[int, int] = (375, 500), size: int = 64, kind: str = "class", **section
) -> Augmentation:
    preprocessing = Preprocessing(size=(size, size), channels=channels, mean=(0.5,) * channels, std=(0.25,) * channels)
    return build_augmentation(
        AugmentSection(**section), preprocessing=preprocessing, typical_size=typical, kind=kind, num_classes=10
    )


def kinds(augmentation: Augmentation) -> list[type]:
    return [type(t) for t in augmentation.sample]


@pytest.mark.parametrize("preset", [*PRESETS, "auto"])
@pytest.mark.parametrize(("channels", "typical"), [(1, (28, 28)), (3, (32, 32)), (3, (375, 500)), (1, (600, 400))])
@pytest.mark.parametrize("kind", ["class", "labels", "numbers"])
def test_every_preset_gives_the_inputs_size(preset: str, channels: int, typical: tuple[int, int], kind: str) -> None:
    augmentation = built(channels, typical, preset=preset, kind=kind)
    photo = load_sample_image("flower.jpg")
    for source in (1, 3):
        image = np.ascontiguousarray(photo[: typical[0], : typical[1], :source])
        moved = Compose(augmentation.sample)(Sample(image, target=2), np.random.default_rng(0))
        if source == channels or preset == "none":
            assert moved.image.shape == (64, 64, channels)
        assert moved.target == 2


def test_auto_looks_at_the_pictures() -> None:
    digits, cifar, photos = built(1, (8, 8)), built(3, (32, 32)), built(3, (375, 500))
    assert kinds(digits) == [Affine, FitTo]
    assert kinds(cifar) == [PadCrop, HorizontalFlip, FitTo]
    assert cifar.sample[0].padding == 4
    assert kinds(photos) == [RandomResizedCrop, HorizontalFlip, ColorJitter]
    assert {a.chosen for a in (digits, cifar, photos)} == {"standard"}
    assert "never mirrored" in digits.reason
    assert "375 x 500" in photos.reason
    assert built(preset="standard").reason == ""


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("typical", [(28, 28), (400, 400)])
def test_auto_never_moves_pictures_whose_truth_is_measured_in_them(channels: int, typical: tuple[int, int]) -> None:
    augmentation = built(channels, typical, kind="numbers")
    assert (augmentation.chosen, kinds(augmentation)) == ("color", [FitTo, ColorJitter])
    assert "wrong" in augmentation.reason


@pytest.mark.parametrize("preset", PRESETS)
def test_small_grey_pictures_are_never_mirrored(preset: str) -> None:
    assert not {HorizontalFlip, VerticalFlip} & set(kinds(built(1, (28, 28), preset=preset)))


def test_stronger_presets_change_more() -> None:
    photo = load_sample_image("flower.jpg")

    def change(preset: str) -> float:
        transform, plain = Compose(built(preset=preset).sample), Compose(built(preset="none").sample)
        still = plain(Sample(photo), np.random.default_rng(0)).image.astype(float)
        return float(
            np.mean(
                [np.abs(transform(Sample(photo), np.random.default_rng(s)).image - still).mean() for s in range(40)]
            )
        )

    assert 0 == change("none") < change("color") < change("light") < change("strong")


def test_a_persons_transforms_come_after_the_preset_and_the_size_is_kept() -> None:
    augmentation = built(
        preset="none",
        transforms=({"rotate": {"degrees": 10}}, {"center_crop": {"size": [20, 20]}}, {"vertical_flip": {}}),
    )
    moved = Compose(augmentation.sample)(Sample(load_sample_image("flower.jpg")), np.random.default_rng(0))
    assert moved.image.shape == (64, 64, 3)
    assert augmentation.sample[1].degrees == 10
    assert augmentation.sample[2].size == (20, 20)
    cropping = built(preset="none", transforms=({"random_resized_crop": {"scale": [0.5, 1]}},))
    assert cropping.sample[1].size == (64, 64)  # the network's, where none is given


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ({"preset": "standart"}, ["standart", "'standard'", "none"]),
        ({"transforms": ({"rotat": {}},)}, ["rotat", "'rotate'"]),
        ({"transforms": ({"rotate": {"degree": 10}},)}, ["rotate", "degree", "'degrees'"]),
        ({"transforms": ({"rotate": {"degrees": "ten"}},)}, ["degrees='ten'", "number"]),
        ({"transforms": ({"rotate": {"degrees": 400}},)}, ["degrees=400", "180"]),
        ({"transforms": ({"rotate": {}, "hue": {}},)}, ["Entry 1", "2 augmentations"]),
        ({"transforms": ({"pad": {"padding": -1}},)}, ["padding=-1"]),
        ({"cutmix": 1.0, "kind": "numbers"}, ["cutmix", "mixup"]),
        ({"pca_noise": 0.1, "channels": 1}, ["pca_noise", "grey"]),
    ],
)
def test_impossible_sections_are_sentences(section: dict, words: list[str]) -> None:
    with pytest.raises(RecipeError) as caught:
        built(**section)
    for word in words:
        assert word in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_is_done_to_batches() -> None:
    assert built().batch == []
    assert built(mixup=0.2).batch == [Mixup(0.2, 10)]
    assert built(cutmix=1.0, kind="labels").batch == [CutMix(1.0, 0)]
    assert built(mixup=0.2, cutmix=1.0).batch == [Either(Mixup(0.2, 10), CutMix(1.0, 10))]
    (noise,) = built(pca_noise=0.1).batch
    assert isinstance(noise, PCANoise)
    assert (noise.spread, noise.std) == (0.1, (0.25, 0.25, 0.25))
    images = torch.randn(4, 3, 8, 8)
    mixed = built(mixup=0.2, pca_noise=0.1)
    batch = Batch(images, torch.arange(4), torch.arange(4))
    for transform in mixed.batch:
        batch = transform(batch, torch.Generator().manual_seed(0))
    assert batch.target.shape == (4, 10)


def test_how_large_a_decoded_picture_must_stay() -> None:
    assert built(preset="none").at_least == (64, 64)
    assert built(preset="standard").at_least == (226, 226)  # the smallest crop, 8 % of the area, is 28 % of the side
    assert built(3, (32, 32)).at_least is None


def test_registries_hold_what_the_recipe_may_name() -> None:
    assert len(sample_transforms) == 26
    assert set(batch_transforms) == {"mixup", "cutmix", "pca_noise", "multi_scale"}
