"""What stands out: each remark on a network that has the fault, and none on one that has not."""

import pytest
import torch
from torch import nn

from osler.anatomy.inspecting import inspect_network
from osler.models.registry import create_model, list_models

Remarks = dict[str, tuple[str, tuple[str, ...]]]


def remarks(model: nn.Module, side: int, channels: int = 3) -> Remarks:
    found = inspect_network(model, (channels, side, side)).remarks
    return {remark.name: (remark.message, remark.where) for remark in found}


def named(name: str) -> nn.Module:
    with torch.device("meta"):
        return create_model(name)


def test_a_healthy_network_gives_no_remark() -> None:
    assert remarks(named("resnet18"), 224) == {}
    assert remarks(named("mobilenet_v2"), 224) == {}


def test_small_pictures_in_a_network_for_large_ones() -> None:
    found = remarks(named("resnet18"), 32)
    message, where = found["the map shrinks early"]
    assert where == ("layer1.0.conv1",)
    assert "8x8" in message
    message, where = found["kernels larger than the map"]
    assert set(where) == {"layer4.0.conv2", "layer4.1.conv1", "layer4.1.conv2"}
    assert "3x3 on a map of 1x1" in message


def test_gates_look_at_a_map_of_one_position_and_that_is_as_it_should_be() -> None:
    assert "the map shrinks early" not in remarks(named("seresnet50"), 224)


def test_a_narrow_place_that_nothing_goes_round() -> None:
    def body(narrow: int) -> nn.Sequential:
        narrowing = [nn.Conv2d(3, 16, 3, 2, 1), nn.Conv2d(16, narrow, 3, 2, 1), nn.Conv2d(narrow, 64, 3, padding=1)]
        return nn.Sequential(*narrowing, *(nn.Conv2d(64, 64, 3, padding=1) for _ in range(8)))

    assert remarks(body(2), 128)["few values early"][1] == ("1",)
    assert "few values early" not in remarks(body(32), 128)
    assert "few values early" not in remarks(
        named("densenet121"), 224
    )  # whose thin layers are joined to what was there


def test_a_receptive_field_too_small_or_far_too_large() -> None:
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 2)]
    shallow = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1), *head)
    message, where = remarks(shallow, 64)["a small receptive field"]
    assert where == ("2",)
    assert "5x5 pixels of a picture of 64x64" in message
    assert "a small receptive field" not in remarks(shallow, 9)
    assert "1451x1451" in remarks(named("resnet152"), 224)["a large receptive field"][0]
    assert "a large receptive field" not in remarks(named("resnet18"), 224)


def test_parameters_in_one_layer() -> None:
    message, where = remarks(named("vgg16"), 224)["parameters in one layer"]
    assert where == ("classifier.0",)
    assert "102,764,544 of 138,357,544 parameters (74 %)" in message
    assert "mean over the map" in message


def test_biases_before_batch_norms() -> None:
    def pair(bias: bool) -> nn.Sequential:
        return nn.Sequential(nn.Conv2d(3, 8, 3, bias=bias), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 4, 3))

    message, where = remarks(pair(True), 16)["biases before batch norms"]
    assert where == ("0",)
    assert message.startswith("8 biases")
    assert "biases before batch norms" not in remarks(pair(False), 16)


def test_a_bias_that_reaches_others_than_the_norm_is_of_use() -> None:
    class Both(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.norm = nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.conv(x)
            return self.norm(x) + x

    assert "biases before batch norms" not in remarks(Both(), 16)


@pytest.mark.parametrize(("side", "lost"), [(9, 0), (10, 1)])
def test_pixels_that_no_window_reaches(side: int, lost: int) -> None:
    found = remarks(nn.Sequential(nn.Conv2d(3, 4, 3, 2)), side)
    assert ("pixels that no window reaches" in found) == bool(lost)
    if lost:
        assert "(10 - 3 + 2·0)/2 + 1 = 4.5, rounded down: 4" in found["pixels that no window reaches"][0]


def test_padding_that_no_window_reaches_and_strides_that_mean_to_skip_are_no_remark() -> None:
    assert remarks(nn.Sequential(nn.Conv2d(3, 4, 7, 2, 3), nn.Conv2d(4, 4, 1, 2)), 224).keys() <= {
        "a small receptive field"
    }


@pytest.mark.parametrize("name", list_models()[::7])
def test_remarks_on_networks_name_layers_that_ran(name: str) -> None:
    model = named(name)
    counted = inspect_network(model, (3, model.input_size, model.input_size))
    paths = {layer.path for layer in counted.layers}
    for remark in counted.remarks:
        assert remark.where
        assert set(remark.where) <= paths
        assert remark.message.endswith((".", ").", "same."))
