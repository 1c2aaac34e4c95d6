"""Networks by name, their options, and a person's own file in their place."""

from pathlib import Path

import pytest
import torch
from torch import nn

from osler.models.registry import create_model, feature_maps, list_models, minimum_size, model_options, networks
from osler.structures.errors import RecipeError, UnknownNameError


def test_lists_names_by_pattern() -> None:
    assert {"lenet5", "convnet", "resnet18", "resnet34", "resnet50", "resnet20", "airbench"} <= set(list_models())
    assert list_models("resnet?8") == ["resnet18"]
    assert list_models("nothing*") == []
    assert list_models() == sorted(list_models())


def test_a_misspelled_network_is_told_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match=r"no network called 'resnet81'.*Did you mean 'resnet18'\?.*convnet"):
        create_model("resnet81", num_classes=10)


def test_a_misspelled_option_is_told_the_nearest_and_all_that_are_allowed() -> None:
    with pytest.raises(
        RecipeError, match=r"resnet18 has no option 'stemm'. Did you mean 'stem'\? Allowed: stem, .*zero_init\."
    ):
        create_model("resnet18", num_classes=10, stemm="small")


@pytest.mark.parametrize(
    ("name", "options", "sentence"),
    [
        ("resnet18", {"stem": "tiny"}, r"stem='tiny': Input should be 'imagenet', 'small' or 'caffe'"),
        ("convnet", {"dropout": 1.5}, r"dropout=1.5: .*less than 1"),
        ("convnet", {"widths": ()}, r"widths=\(\): .*at least 1"),
        ("convnet", {"depth": 0}, r"depth=0: .*greater than 0"),
        ("lenet5", {"padding": 1}, r"padding=1: .*0 or 2"),
    ],
)
def test_an_impossible_option_is_explained(name: str, options: dict[str, object], sentence: str) -> None:
    with pytest.raises(RecipeError, match=rf"{name} cannot be made with {sentence}"):
        create_model(name, num_classes=10, **options)


def test_options_from_a_yaml_file_are_turned_into_the_declared_types() -> None:
    model = create_model("convnet", num_classes=3, widths=[8, 16], depth="1")  # type: ignore[arg-type]
    assert [m.channels for m in feature_maps(model)] == [8, 16]


@pytest.mark.parametrize("wrong", [0, -1, 2.5, "10"])
def test_classes_are_counted_from_one(wrong: object) -> None:
    with pytest.raises(RecipeError, match="num_classes of at least 1"):
        create_model("convnet", num_classes=wrong)  # type: ignore[arg-type]


def test_options_and_their_defaults_are_known() -> None:
    assert model_options("convnet") == {"widths": (32, 64, 128), "depth": 2, "dropout": 0.0}
    assert {"stem": "imagenet", "width": 1.0, "zero_init": False}.items() <= model_options("resnet50").items()


def test_the_smallest_size_follows_the_options() -> None:
    assert minimum_size("resnet18") == 32
    assert minimum_size("resnet18", stem="small") == 8
    assert minimum_size("lenet5") == 32
    assert minimum_size("lenet5", padding=2) == 28
    assert minimum_size("convnet") <= 8, "digits are 8x8"


def test_asking_for_the_smallest_size_leaves_the_random_numbers_alone() -> None:
    before = torch.get_rng_state()
    minimum_size("resnet18")
    minimum_size("airbench")
    assert torch.equal(torch.get_rng_state(), before)


def test_a_network_that_does_not_describe_itself_is_told_how() -> None:
    with pytest.raises(RecipeError, match=r"Sequential does not say where it can be cut.*feature_maps"):
        feature_maps(nn.Sequential(nn.Linear(2, 2)))


def test_two_networks_cannot_have_one_name() -> None:
    with pytest.raises(ValueError, match="Two networks are called 'convnet'"):
        networks.register("convnet")(nn.Linear)


OWN = """
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self, num_classes, width=4):
        super().__init__()
        self.width = width
        self.head = nn.Linear(3, num_classes)

    def forward(self, images):
        return self.head(images.mean((2, 3)))


def fixed():
    return Net(5)


def open_to_all(**given):
    net = Net(given["num_classes"])
    net.given = given
    return net


ready = Net(6)
number = 7


def no_network():
    return 3
"""


@pytest.fixture
def own(tmp_path: Path) -> str:
    (tmp_path / "my_net.py").write_text(OWN)
    return str(tmp_path / "my_net.py")


def test_a_persons_class_gets_what_it_asks_for(own: str) -> None:
    model = create_model(f"{own}:Net", num_classes=9, width=8)
    assert model.width == 8
    assert model(torch.zeros(2, 3, 4, 4)).shape == (2, 9)
    assert create_model(f"{own}:fixed", num_classes=9)(torch.zeros(2, 3, 4, 4)).shape == (2, 5)
    assert create_model(f"{own}:ready", num_classes=9)(torch.zeros(2, 3, 4, 4)).shape == (2, 6)
    assert create_model(f"{own}:open_to_all", num_classes=9, a=1).given == {"num_classes": 9, "in_channels": 3, "a": 1}


def test_what_is_wrong_with_a_persons_file_is_said(own: str) -> None:
    with pytest.raises(RecipeError, match=r"has no option 'widht'. Did you mean 'width'\? Allowed: width\."):
        create_model(f"{own}:Net", num_classes=9, widht=8)
    with pytest.raises(RecipeError, match="is a int; a network is"):
        create_model(f"{own}:number", num_classes=9)
    with pytest.raises(RecipeError, match="made a int; a network is"):
        create_model(f"{own}:no_network", num_classes=9)
    with pytest.raises(UnknownNameError, match="Did you mean 'Net'"):
        create_model(f"{own}:Nett", num_classes=9)
