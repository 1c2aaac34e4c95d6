"""Network in Network: mlpconv layers, and a classifier that is a mean."""

import pytest
import torch
from torch import nn

from osler.models.head import find_head, penultimate
from osler.models.plan_network import PlanNetwork
from osler.models.registry import create_model


def on_meta(name: str, classes: int, **options: object) -> PlanNetwork:
    with torch.device("meta"):
        model = create_model(name, num_classes=classes, **options)
    assert isinstance(model, PlanNetwork)
    return model


@pytest.mark.craft("AR20")
@pytest.mark.parametrize(
    ("name", "classes", "parameters", "kernels"),
    [
        ("nin_cifar10", 10, 966_986, [5, 1, 1, 5, 1, 1, 3, 1, 1]),
        ("nin_imagenet", 1000, 7_595_176, [11, 1, 1, 5, 1, 1, 3, 1, 1, 3, 1, 1]),
    ],
)
def test_a_convolution_and_two_of_1x1_in_turn_and_no_connected_layer(
    name: str, classes: int, parameters: int, kernels: list[int]
) -> None:
    model = on_meta(name, classes)
    convs = [m for m in model.features if isinstance(m, nn.Conv2d)]
    assert [c.kernel_size[0] for c in convs] == kernels
    assert sum(p.numel() for p in model.parameters()) == parameters
    assert convs[-1].out_channels == classes
    assert not any(isinstance(m, nn.Linear) for m in model.modules())


@pytest.mark.craft("AR20")
def test_two_1x1_convolutions_are_a_connected_network_at_each_place() -> None:
    """Lin et al. 2013, equation 2: the same small network sees every place."""
    torch.manual_seed(0)
    model = create_model("nin_cifar10", num_classes=4, width=0.125).eval()
    first, second = (m for m in model.features[2:6] if isinstance(m, nn.Conv2d))
    network = nn.Sequential(nn.Linear(first.in_channels, first.out_channels), nn.ReLU())
    network += nn.Sequential(nn.Linear(second.in_channels, second.out_channels), nn.ReLU())
    weights = (t.flatten(1) if t.ndim > 1 else t for conv in (first, second) for t in (conv.weight, conv.bias))
    network.load_state_dict(dict(zip(network.state_dict(), weights, strict=True)))
    x = torch.randn(2, first.in_channels, 5, 6)
    with torch.no_grad():
        places = network(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        torch.testing.assert_close(model.features[2:6](x), places)


@pytest.mark.craft("AR20")
def test_a_raw_output_is_the_mean_of_its_map() -> None:
    torch.manual_seed(0)
    model = create_model("nin_cifar10", num_classes=5, width=0.125).eval()
    images = torch.randn(3, 3, 44, 40)
    with torch.no_grad():
        maps = model.features(images)
        assert maps.shape == (3, 5, 11, 10)
        torch.testing.assert_close(model(images), maps.mean((2, 3)))
        name, head = find_head(model)
        assert name == f"features.{len(model.features) - 1}"
        features = penultimate(model, images)
        torch.testing.assert_close(features @ head.weight.flatten(1).T + head.bias, model(images))


def test_rectified_maps_are_those_that_were_published() -> None:
    torch.manual_seed(0)
    model = create_model("nin_cifar10", num_classes=5, width=0.125).eval()
    torch.manual_seed(0)
    published = create_model("nin_cifar10", num_classes=5, width=0.125, rectified=True).eval()
    images = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(published(images), model.features(images).relu().mean((2, 3)))


@pytest.mark.parametrize("name", ["nin_cifar10", "nin_imagenet"])
def test_the_maps_of_the_classes_are_no_features(name: str) -> None:
    model = on_meta(name, 10)
    last = model.feature_maps[-1]
    assert last.channels == {"nin_cifar10": 192, "nin_imagenet": 1024}[name]
    assert type(model.features[int(last.module.split(".")[1]) + 1]) is nn.Conv2d
