"""AlexNet: the sizes and counts that its paper prints, and its way of starting."""

import pytest
import torch
from torch import nn

from osler.models.head import penultimate
from osler.models.plan_network import PlanNetwork
from osler.models.registry import create_model
from osler.nn.local_response_norm import LocalResponseNorm


def on_meta(**options: object) -> PlanNetwork:
    with torch.device("meta"):
        model = create_model("alexnet", **options)
    assert isinstance(model, PlanNetwork)
    return model


def convs(model: PlanNetwork) -> list[nn.Conv2d]:
    return [m for m in model.features if isinstance(m, nn.Conv2d)]


def sides(model: PlanNetwork, size: int) -> list[int]:
    """Side of the map after each layer that changes it."""
    found = [size]
    x = torch.zeros(1, 3, size, size, device="meta")
    for layer in model.features:
        x = layer(x)
        if x.shape[-1] != found[-1]:
            found.append(x.shape[-1])
    return found


@pytest.mark.craft("AR02")
def test_the_network_of_2012_has_its_printed_layers() -> None:
    """Krizhevsky et al. 2012, section 3.5: kernels of each layer, their depth on one of two GPUs."""
    model = on_meta()
    kernels = [tuple(c.weight.shape) for c in convs(model)]
    assert kernels == [(96, 3, 11, 11), (256, 48, 5, 5), (384, 256, 3, 3), (384, 192, 3, 3), (256, 192, 3, 3)]
    assert [m.out_features for m in model.classifier if isinstance(m, nn.Linear)] == [4096, 4096, 1000]
    assert sum(p.numel() for p in model.parameters()) == 60_965_224
    assert sides(model, 227) == [227, 55, 27, 13, 6]
    kinds = [type(m).__name__ for m in model.features]
    assert kinds[:4] == ["Conv2d", "ReLU", "LocalResponseNorm", "MaxPool2d"]
    assert sum(isinstance(m, LocalResponseNorm) for m in model.features) == 2
    assert [type(m).__name__ for m in model.classifier] == [*(["Linear", "ReLU", "Dropout"] * 2), "Linear"]


@pytest.mark.craft("AR02")
def test_a_photograph_gives_4096_features_and_1000_classes() -> None:
    torch.manual_seed(0)
    model = create_model("alexnet").eval()
    picture = torch.randn(1, 3, 227, 227)
    with torch.no_grad():
        assert penultimate(model, picture).shape == (1, 4096)
        assert model(picture).shape == (1, 1000)


@pytest.mark.craft("AR02")
def test_halves_of_the_maps_do_not_see_each_other_before_the_third_convolution() -> None:
    torch.manual_seed(0)
    model = create_model("alexnet", num_classes=5, width=0.25).eval()
    second = convs(model)[1]
    position = list(model.features).index(second)
    x = torch.randn(1, second.in_channels, 9, 9)
    half = second.in_channels // 2
    other = x.clone()
    other[:, half:] += 1.0
    with torch.no_grad():
        before, after = second(x), second(other)
        assert torch.equal(before[:, : second.out_channels // 2], after[:, : second.out_channels // 2])
        assert not torch.equal(before, after)
    assert convs(model)[2].groups == 1
    assert type(model.features[position - 1]) is nn.MaxPool2d


def test_the_single_tower_of_2014_is_the_public_one() -> None:
    model = on_meta(form="one_tower")
    assert sum(p.numel() for p in model.parameters()) == 61_100_840
    assert model.input_size == 224
    assert sides(model, 224) == [224, 55, 27, 13, 6]
    assert not any(isinstance(m, LocalResponseNorm) for m in model.modules())


@pytest.mark.parametrize("form", ["two_towers", "one_tower"])
def test_small_pictures_keep_their_resolution(form: str) -> None:
    model = on_meta(form=form, stem="small", num_classes=10)
    assert model.input_size == 32
    assert sides(model, 32) == [32, 15, 7, 3]
    assert convs(model)[0].stride == (1, 1)


def test_dropout_is_an_option_that_keeps_the_names() -> None:
    with_none, usual = on_meta(dropout=0.0), on_meta()
    assert with_none.state_dict().keys() == usual.state_dict().keys()
    assert {m.p for m in with_none.modules() if isinstance(m, nn.Dropout)} == {0.0}
    assert {m.p for m in usual.modules() if isinstance(m, nn.Dropout)} == {0.5}


def test_the_start_of_2012_wakes_the_relus() -> None:
    """Section 5: biases of 1 in the second, fourth and fifth convolution and in the hidden connected layers."""
    torch.manual_seed(0)
    model = create_model("alexnet", num_classes=10, width=0.25, start="2012")
    linears = [m for m in model.classifier if isinstance(m, nn.Linear)]
    biases = [float(m.bias.detach().mean()) for m in (*convs(model), *linears)]
    assert biases == [0, 1, 0, 1, 1, 1, 1, 0]
    for layer in (*convs(model), *linears):
        assert float(layer.weight.detach().std()) == pytest.approx(0.01, rel=0.1)
