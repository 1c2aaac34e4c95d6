"""The arithmetic of the MobileNets, as printed."""

import pytest
import torch
from torch import nn

from osler.models.cost import multiply_adds
from osler.models.mobilenet_v3 import NORM
from osler.models.registry import create_model
from osler.nn.convolution import conv
from osler.nn.depthwise_separable import depthwise_separable
from osler.nn.inverted_residual import InvertedResidual
from osler.nn.squeeze_excitation import SqueezeExcitation


def count(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


def made(name: str, **options: object) -> nn.Module:
    with torch.device("meta"):
        return create_model(name, num_classes=1000, **options)


def cost(name: str, side: int = 224, **options: object) -> int:
    with torch.device("meta"):
        return multiply_adds(made(name, **options), 3, (side, side))


@pytest.mark.craft("LW02", "LA07", "LA24", "LA25", "LA26")
def test_the_worked_example_of_112_pixels() -> None:
    size = (112, 112)
    full = multiply_adds(conv(64, 128), 64, size)
    separable = depthwise_separable(64, 128)
    depthwise, pointwise = (multiply_adds(part, 64, size) for part in (separable.depthwise, separable.pointwise))
    assert full == 924_844_032
    assert depthwise == 7_225_344 == 3 * 3 * 64 * 112 * 112
    assert pointwise == 102_760_448 == 64 * 128 * 112 * 112
    assert multiply_adds(separable, 64, size) == 109_985_792 == depthwise + pointwise
    ratio = 109_985_792 / 924_844_032
    assert round(ratio, 4) == 0.1189
    assert ratio == pytest.approx(1 / 128 + 1 / 9)
    assert 1 / 9 < ratio < 1 / 8
    assert count(separable.depthwise.conv) == 9 * 64
    assert count(separable.pointwise.conv) == 64 * 128


@pytest.mark.craft("LA07")
def test_biases_are_counted_as_parameters_and_not_as_products() -> None:
    with_bias, without = nn.Conv2d(3, 8, 3), nn.Conv2d(3, 8, 3, bias=False)
    assert count(with_bias) - count(without) == 8
    assert multiply_adds(with_bias, 3, (9, 9)) == multiply_adds(without, 3, (9, 9)) == 49 * 3 * 8 * 9


@pytest.mark.craft("LA24", "LA25")
def test_depthwise_is_a_convolution_in_groups_and_pointwise_a_linear_layer() -> None:
    separable = depthwise_separable(4, 6)
    x = torch.randn(2, 4, 5, 5)
    by_channel = torch.cat(
        [
            nn.functional.conv2d(x[:, c : c + 1], separable.depthwise.conv.weight[c : c + 1], padding=1)
            for c in range(4)
        ],
        dim=1,
    )
    torch.testing.assert_close(separable.depthwise.conv(x), by_channel)
    weight = separable.pointwise.conv.weight[:, :, 0, 0]
    by_pixel = nn.functional.linear(x.permute(0, 2, 3, 1), weight).permute(0, 3, 1, 2)
    torch.testing.assert_close(separable.pointwise.conv(x), by_pixel)


@pytest.mark.craft("LW01", "LW18")
def test_mobilenet_v1_and_its_two_multipliers() -> None:
    assert count(made("mobilenet_v1")) == 4_231_976
    assert cost("mobilenet_v1") == 568_740_352
    millions = [round(count(made("mobilenet_v1", width=w)) / 1e6, 1) for w in (1.0, 0.75, 0.5, 0.25)]
    assert millions == [4.2, 2.6, 1.3, 0.5], "table 6 of the paper"
    head = 1024 * 1000
    for side in (192, 160, 128):
        assert cost("mobilenet_v1", side) - head == pytest.approx((568_740_352 - head) * (side / 224) ** 2)


@pytest.mark.craft("LW03")
def test_the_inverted_residual() -> None:
    block = InvertedResidual(24, 6 * 24, 24)
    assert block.residual
    assert not InvertedResidual(24, 144, 32).residual
    assert not InvertedResidual(24, 144, 24, stride=2).residual
    kinds = [type(m) for m in block.layers.modules() if not list(m.children())]
    assert kinds == [nn.Conv2d, nn.BatchNorm2d, nn.ReLU6] * 2 + [nn.Conv2d, nn.BatchNorm2d, nn.Identity]
    assert [p.conv.out_channels for p in (block.layers.expand, block.layers.depthwise, block.layers.project)] == [
        144,
        144,
        24,
    ]
    x = torch.randn(2, 24, 7, 7)
    torch.testing.assert_close(block.eval()(x), x + block.layers(x))
    assert count(made("mobilenet_v2")) == 3_504_872
    assert count(made("mobilenet_v2", width=1.4)) == 6_108_776, (
        "the paper prints 6.9 million, which its table does not give"
    )


@pytest.mark.craft("LW06")
def test_mobilenet_v3_has_its_seven_changes() -> None:
    large, small = made("mobilenet_v3_large"), made("mobilenet_v3_small")
    assert (count(large), count(small)) == (5_483_032, 2_542_856)
    assert large.stem.conv.out_channels == 16, "half of v2's"
    for model in (large, small):
        kinds = {type(m) for m in model.modules()}
        assert {nn.Hardswish, nn.Hardsigmoid, nn.ReLU, SqueezeExcitation} <= kinds
        assert {m.kernel_size for m in model.modules() if isinstance(m, nn.Conv2d)} >= {(3, 3), (5, 5)}
    kinds = [type(b.layers.depthwise.act) for b in large.blocks]
    assert kinds == [nn.ReLU] * 6 + [nn.Hardswish] * 9, "in the deeper half only"
    sizes: list[tuple[int, ...]] = []
    large.average.register_forward_pre_hook(lambda _m, inputs: sizes.append(tuple(inputs[0].shape[1:])))
    with torch.device("meta"):
        large.eval()(torch.zeros(1, 3, 224, 224))
    assert sizes == [(960, 7, 7)]


@pytest.mark.craft("LW07")
def test_the_last_stage_pools_before_its_widest_layer() -> None:
    """Figure 5 of the paper: v2's tail widens to 1280 at 7x7; v3's pools first, and leaves two layers out."""
    old = nn.Sequential(
        InvertedResidual(160, 960, 320, norm=NORM, act=nn.Hardswish), nn.Conv2d(320, 1280, 1), nn.AdaptiveAvgPool2d(1)
    )
    new = nn.Sequential(nn.Conv2d(160, 960, 1), nn.AdaptiveAvgPool2d(1), nn.Conv2d(960, 1280, 1))
    before, after = (multiply_adds(tail, 160, (7, 7)) for tail in (old, new))
    assert before == 49 * (160 * 960 + 9 * 960 + 960 * 320 + 320 * 1280)
    assert after == 49 * 160 * 960 + 960 * 1280
    assert before - after > 30_000_000 - 1_000_000, "the paper: 30 million multiply-adds less"
