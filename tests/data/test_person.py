import numpy as np
import pytest
import torch
from PIL import Image

from osler.data.person import from_person
from osler.data.person_image import as_image
from osler.data.recipe import DataSection
from osler.structures.errors import DataError

PIXELS = np.random.default_rng(0).integers(0, 256, (30, 6, 7, 3), np.uint8)


class Pairs(torch.utils.data.Dataset):
    """A torch data set of whatever pairs it is given."""

    def __init__(self, images, labels):
        self.images, self.answers = images, labels

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        return self.images[index], self.answers[index]


def opened(data, **values):
    return from_person(data, DataSection(**({"validation": 0.2} | values)), 0)


KINDS = {
    "PIL": lambda image: Image.fromarray(image),
    "NumPy": lambda image: image,
    "NumPy floats": lambda image: image / 255,
    "NumPy channels first": lambda image: image.transpose(2, 0, 1),
    "tensor": lambda image: torch.from_numpy(image).permute(2, 0, 1),
    "tensor of floats": lambda image: torch.from_numpy(image).permute(2, 0, 1) / 255,
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_picture_of_any_kind_becomes_the_same_bytes(kind):
    source = opened(Pairs([KINDS[kind](image) for image in PIXELS], [i % 3 for i in range(30)]))
    assert (source.kind, source.names, source.channels, source.typical_size) == ("class", ("0", "1", "2"), 3, (6, 7))
    assert (len(source.train), len(source.validation)) == (24, 6)
    sample = source.validation[2]
    number = int(source.validation.rows[2])
    np.testing.assert_array_equal(sample.image, PIXELS[number])
    assert sample.target == number % 3


def test_grey_pictures_stay_grey_and_others_are_brought_to_the_channels_of_the_first():
    grey = PIXELS[0, :, :, 0]
    for picture in (Image.fromarray(grey), grey, torch.from_numpy(grey), torch.from_numpy(grey)[None]):
        np.testing.assert_array_equal(as_image(picture, None), grey[..., None])
        assert as_image(picture, 3).shape == (6, 7, 3)
    assert as_image(Image.fromarray(PIXELS[0]).convert("P"), None).shape == (6, 7, 3)
    assert as_image(np.ones((4, 4), bool), None).max() == 255


@pytest.mark.parametrize("labels", ["list", "array", "tensor"])
def test_arrays_of_pictures_and_labels(labels):
    answers = {"list": [i % 3 for i in range(30)], "array": np.arange(30) % 3, "tensor": torch.arange(30) % 3}[labels]
    for images in (PIXELS, PIXELS / 255, torch.from_numpy(PIXELS).permute(0, 3, 1, 2)):
        source = opened((images, answers))
        assert source.in_memory
        np.testing.assert_array_equal(source.train[4].image, PIXELS[source.train.rows[4]])


@pytest.mark.parametrize(
    ("labels", "kind", "first"),
    [
        ([i % 3 for i in range(30)], "class", 0),
        ([torch.tensor(i % 3) for i in range(30)], "class", 0),
        ([np.array([1, i % 2, 0]) for i in range(30)], "labels", [1, 0, 0]),
        ([torch.tensor([1.0, i % 2]) for i in range(30)], "labels", [1, 0]),
        ([i / 2 for i in range(30)], "numbers", [0.0]),
        ([np.array([i, 2.5]) for i in range(30)], "numbers", [0.0, 2.5]),
    ],
)
def test_labels_are_told_by_what_they_are(labels, kind, first):
    source = opened(Pairs(list(PIXELS), labels), validation=0)
    assert source.kind == kind
    assert np.array_equal(source.train[0].target, first)
    assert len(source.names) == (3 if kind == "class" else len(first))


def test_whole_numbers_are_numbers_where_the_recipe_says_so():
    assert opened(Pairs(list(PIXELS), list(range(30))), labels="numbers").kind == "numbers"


def test_parts_given_are_kept():
    whole = Pairs(list(PIXELS), [i % 3 for i in range(30)])
    few = Pairs(list(PIXELS[:6]), [i % 3 for i in range(6)])
    for data in ((whole, few), {"train": whole, "val": few, "test": None}):
        source = opened(data)
        assert (len(source.train), len(source.validation), source.test) == (30, 6, None)
    assert len(opened((whole, few, few)).test) == 6
    assert len(opened({"train": (PIXELS, np.arange(30) % 3), "test": (PIXELS[:6], np.arange(6) % 3)}).test) == 6


def test_names_come_from_the_data_set():
    data = Pairs(list(PIXELS), [i % 3 for i in range(30)])
    data.classes = ["a", "b", "c"]
    assert opened(data).names == ("a", "b", "c")


def test_a_list_of_targets_spares_going_through_the_pictures():
    class Lazy(Pairs):
        read = 0

        def __getitem__(self, index):
            self.read += 1
            return super().__getitem__(index)

    data = Lazy(list(PIXELS), [i % 3 for i in range(30)])
    data.targets = data.answers
    source = opened(data, validation=0)
    assert source.train.targets.tolist() == data.answers
    before = data.read
    source.train[0]
    assert data.read == before + 1


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (3, "torch Dataset"),
        ("nonsense", "not enough|expected|item"),
        (Pairs([], []), "is empty"),
        ([1, 2, 3], "an item|An item"),
        (Pairs(["no picture"] * 4, [0, 1, 0, 1]), "A picture is a str"),
        (Pairs([np.zeros((4, 4, 2), np.uint8)] * 4, [0, 1, 0, 1]), "1 or 3 channels"),
        (Pairs([np.zeros((4, 4), np.int64)] * 4, [0, 1, 0, 1]), "type int64"),
        (Pairs([torch.randn(3, 4, 4)] * 4, [0, 1, 0, 1]), "Take the standardisation out"),
        (Pairs(list(PIXELS), [0] * 30), "one class only"),
        (Pairs(list(PIXELS), [-1, 1] * 15), "numbered from 0"),
        (Pairs(list(PIXELS), ["a", "b"] * 15), "Labels must be"),
        (Pairs(list(PIXELS), [[1], [1, 2]] * 15), "Labels must be"),
        (Pairs(list(PIXELS), [float("nan")] + [1.0] * 29), "not finite"),
        ((PIXELS, [0, 1]), "30 images and 2 labels"),
        ((PIXELS[0, 0], [0, 1]), "have the shape"),
        ({"training": Pairs(list(PIXELS), [0, 1] * 15), "other": None}, "has the parts training, other"),
        ((Pairs(list(PIXELS), [0, 1] * 15), Pairs(list(PIXELS), [0.5, 1.5] * 15)), "of another kind"),
    ],
)
def test_what_cannot_be_used_is_said(data, said):
    with pytest.raises(DataError, match=said):
        opened(data)
