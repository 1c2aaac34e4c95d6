"""VGG: the counts of its columns, and what column C and batch norm change."""

import pytest
import torch
from torch import nn

from osler.lab.layer_costs import fully_connected_share
from osler.models.plan_network import PlanNetwork
from osler.models.registry import create_model
from osler.models.vgg import COLUMNS, NORMED
from osler.nn.local_response_norm import LocalResponseNorm


def on_meta(name: str, **options: object) -> PlanNetwork:
    with torch.device("meta"):
        model = create_model(name, **options)
    assert isinstance(model, PlanNetwork)
    return model


def kernels(model: PlanNetwork) -> list[int]:
    return [m.kernel_size[0] for m in model.features if isinstance(m, nn.Conv2d)]


def parameters(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


@pytest.mark.craft("AR04")
def test_sixteen_and_nineteen_layers_have_the_known_parameters() -> None:
    sixteen, nineteen = on_meta("vgg16"), on_meta("vgg19")
    assert parameters(sixteen) == 138_357_544
    assert parameters(nineteen) == 143_667_240
    assert parameters(sixteen.classifier) == 123_642_856
    assert fully_connected_share(sixteen) == pytest.approx(0.894, abs=5e-4)
    for model, depth in ((sixteen, 16), (nineteen, 19)):
        assert sum(isinstance(m, (nn.Conv2d, nn.Linear)) for m in model.modules()) == depth
        assert set(kernels(model)) == {3}
        assert all(m.kernel_size == 2 for m in model.features if isinstance(m, nn.MaxPool2d))


@pytest.mark.craft("AR05")
def test_column_c_ends_three_stages_with_1x1_kernels() -> None:
    c = on_meta("vgg16_c")
    assert parameters(c) == 133_638_952
    assert kernels(c) == [3, 3, 3, 3, 3, 3, 1, 3, 3, 1, 3, 3, 1]
    for name in ("vgg16", "vgg19"):
        assert 1 not in kernels(on_meta(name))


def test_columns_have_the_millions_that_the_paper_prints() -> None:
    """Simonyan and Zisserman 2014, table 2: 133 for A, A-LRN and B, then 134, 138 and 144."""
    columns = ("vgg11", "vgg11_lrn", "vgg13", "vgg16_c", "vgg16", "vgg19")
    assert columns == tuple(COLUMNS)
    assert [round(parameters(on_meta(name)) / 1e6) for name in columns] == [133, 133, 133, 134, 138, 144]


def test_one_column_has_one_local_response_norm() -> None:
    model = on_meta("vgg11_lrn")
    assert [i for i, m in enumerate(model.features) if isinstance(m, LocalResponseNorm)] == [2]
    assert [type(m).__name__ for m in model.features[:4]] == ["Conv2d", "ReLU", "LocalResponseNorm", "MaxPool2d"]


@pytest.mark.parametrize("name", NORMED)
def test_batch_norm_stands_before_every_activation_of_a_map(name: str) -> None:
    plain, normed = on_meta(name), on_meta(f"{name}_bn")
    layers = list(normed.features)
    norms = [i for i, m in enumerate(layers) if isinstance(m, nn.BatchNorm2d)]
    assert len(norms) == len(kernels(plain))
    assert all(type(layers[i - 1]) is nn.Conv2d and type(layers[i + 1]) is nn.ReLU for i in norms)
    channels = sum(m.out_channels for m in plain.features if isinstance(m, nn.Conv2d))
    assert parameters(normed) == parameters(plain) + 2 * channels


def test_small_pictures_leave_one_position_to_the_classifier() -> None:
    model = on_meta("vgg16", stem="small", num_classes=10)
    assert model.input_size == 32
    first = next(m for m in model.classifier if isinstance(m, nn.Linear))
    assert first.in_features == 512
    assert kernels(model) == kernels(on_meta("vgg16"))


def test_larger_pictures_are_averaged_to_the_published_map() -> None:
    torch.manual_seed(0)
    model = create_model("vgg11", num_classes=3, width=0.125).eval()
    picture = torch.randn(1, 3, 448, 448)
    with torch.no_grad():
        maps = model.features(picture)
        assert maps.shape[-2:] == (14, 14)
        expected = model.classifier(nn.functional.avg_pool2d(maps, 2).flatten(1))
        torch.testing.assert_close(model(picture), expected)
