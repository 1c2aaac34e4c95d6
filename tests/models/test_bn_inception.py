"""BN-Inception: the figure's sizes, and counts of the authors' code and of the public model."""

from typing import Any

import pytest
import torch
from torch import nn

from osler.models.registry import create_model


def made(**options: Any) -> nn.Module:
    with torch.device("meta"):
        return create_model("bn_inception", **options).eval()


def convolutions(model: nn.Module) -> list[nn.Conv2d]:
    return [m for m in model.modules() if isinstance(m, nn.Conv2d)]


def sizes(model: nn.Module, side: int = 224) -> list[tuple[int, ...]]:
    """Of what comes out of each block, in order."""
    found: list[tuple[int, ...]] = []
    for stage in (model.inception3, model.inception4, model.inception5):
        for block in stage:
            block.register_forward_hook(lambda _m, _i, y: found.append(tuple(y.shape[1:])))
    model(torch.zeros(2, 3, side, side, device=next(model.parameters()).device))
    return found


@pytest.mark.craft("AR10")
def test_maps_have_the_sizes_of_figure_5() -> None:
    """Ioffe and Szegedy 2015, column output size. (4e is printed with 14x14, though it has a stride of 2.)"""
    assert sizes(made()) == [
        (256, 28, 28),
        (320, 28, 28),
        *[(576, 14, 14)] * 5,
        *[(1024, 7, 7)] * 3,
    ]


@pytest.mark.craft("AR10")
def test_layers_before_the_head_count_as_in_the_authors_code() -> None:
    """TensorFlow-Slim asserts 10,173,112 for Inception v2: weights, and three values a channel of batch norm.

    Its separable convolution has a bias in the place of batch norm: 64 values where ours has 192.
    """
    model = made()
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    values = sum(m.weight.numel() for m in convolutions(model)) + sum(3 * m.num_features for m in norms)
    assert values - 2 * 64 == 10_173_112


@pytest.mark.craft("AR10")
def test_the_public_form_counts_as_the_model_from_caffe() -> None:
    """11,295,240 parameters with the biases of its convolutions (Cadene's and pytorchcv's bninception)."""
    model = made(form="public")
    biases = sum(m.out_channels for m in convolutions(model))
    assert sum(p.numel() for p in model.parameters()) + biases == 11_295_240
    assert [channels for channels, *_ in sizes(model)][5:8] == [608, 608, 1056]


def test_the_first_convolution_is_separable_as_published() -> None:
    first = made().conv1
    assert (first.depthwise.out_channels, first.depthwise.groups, first.depthwise.stride) == (24, 3, (2, 2))
    assert (first.conv.kernel_size, first.conv.out_channels) == ((1, 1), 64)
    assert made(in_channels=1).conv1.depthwise.out_channels == 8
    assert made(form="public").conv1.conv.kernel_size == (7, 7)


@pytest.mark.craft("AR10")
def test_every_convolution_of_the_blocks_is_normalised_and_none_is_5x5() -> None:
    model = made(width=0.25)
    stages = [*model.inception3.modules(), *model.inception4.modules(), *model.inception5.modules()]
    convs = [m for m in stages if isinstance(m, nn.Conv2d)]
    assert {m.kernel_size for m in convs} == {(1, 1), (3, 3)}
    assert len(convs) == sum(isinstance(m, nn.BatchNorm2d) for m in stages)
    assert all(m.bias is None for m in convs)


@pytest.mark.parametrize("form", ["published", "public"])
def test_the_small_stem_keeps_the_resolution(form: str) -> None:
    model = create_model("bn_inception", num_classes=5, stem="small", form=form, width=0.125).eval()
    assert (model.input_size, model.minimum_size) == (32, 4)
    assert [side for _, side, _ in sizes(model, 32)] == [32] * 2 + [16] * 5 + [8] * 3
    assert [m.stride for m in model.feature_maps] == [1, 2, 4]
    assert model(torch.randn(1, 3, 4, 4)).isfinite().all()
