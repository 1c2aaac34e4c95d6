"""MobileNet: published counts, its plan, and the two multipliers."""

import pytest
import torch
from torch import nn

from osler.models.cost import multiply_adds
from osler.models.registry import create_model, feature_maps


def made(width: float = 1.0, **options: object) -> nn.Module:
    with torch.device("meta"):
        return create_model("mobilenet_v1", width=width, **options)


def parameters(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


@pytest.mark.craft("LW01")
def test_parameters_and_multiply_adds_are_exact() -> None:
    model = made()
    assert parameters(model) == 4_231_976
    assert multiply_adds(model, 3, (224, 224)) == 568_740_352


@pytest.mark.craft("LW01")
def test_all_but_the_first_and_the_last_layer_are_depthwise_separable() -> None:
    """Howard et al. 2017, table 1: 13 pairs, 28 layers with weights."""
    layers = [m for m in made().modules() if isinstance(m, (nn.Conv2d, nn.Linear))]
    assert len(layers) == 28
    first, *middle, last = layers
    assert (first.kernel_size, first.groups, first.out_channels) == ((3, 3), 1, 32)
    assert isinstance(last, nn.Linear)
    for depthwise, pointwise in zip(middle[::2], middle[1::2], strict=True):
        assert depthwise.kernel_size == (3, 3)
        assert depthwise.groups == depthwise.in_channels == depthwise.out_channels == pointwise.in_channels
        assert (pointwise.kernel_size, pointwise.groups, pointwise.stride) == ((1, 1), 1, (1, 1))


@pytest.mark.craft("LW01")
def test_most_of_the_cost_is_in_the_pointwise_convolutions() -> None:
    """Table 2 of the paper: 94.86 % of the multiply-adds and 74.59 % of the parameters; depthwise 3.06 and 1.06 %."""
    pointwise = depthwise = total = 0
    for module in made().modules():
        if isinstance(module, nn.Conv2d):
            weights = module.weight.numel()
            pointwise += weights if module.kernel_size == (1, 1) else 0
            depthwise += weights if module.groups > 1 else 0
    total = parameters(made())
    assert 100 * pointwise / total == pytest.approx(74.59, abs=0.5)
    assert 100 * depthwise / total == pytest.approx(1.06, abs=0.05)


@pytest.mark.craft("LW18")
@pytest.mark.parametrize(
    ("width", "count", "millions", "mult_adds"),
    [
        (1.0, 4_231_976, 4.2, 569),
        (0.75, 2_585_560, 2.6, 325),
        (0.5, 1_331_592, 1.3, 149),
        (0.25, 470_072, 0.5, 41),
    ],
)
def test_the_width_multiplier_gives_the_published_counts(
    width: float, count: int, millions: float, mult_adds: int
) -> None:
    """Howard et al. 2017, table 6."""
    model = made(width)
    assert parameters(model) == count
    assert count / 1e6 == pytest.approx(millions, abs=0.05)
    assert multiply_adds(model, 3, (224, 224)) / 1e6 == pytest.approx(mult_adds, abs=0.6)


@pytest.mark.craft("LW18")
@pytest.mark.parametrize(("side", "mult_adds"), [(224, 569), (192, 418), (160, 290), (128, 186)])
def test_multiply_adds_go_with_the_square_of_the_resolution(side: int, mult_adds: int) -> None:
    """Howard et al. 2017, table 7; only the linear layer, after the mean, does not see the resolution."""
    model = made()
    counted, head = multiply_adds(model, 3, (side, side)), 1024 * 1000
    assert counted / 1e6 == pytest.approx(mult_adds, abs=0.7)
    assert (counted - head) * 224**2 == (568_740_352 - head) * side**2


def test_the_small_stem_keeps_the_resolution_of_small_pictures() -> None:
    assert [m.stride for m in feature_maps(made())] == [2, 4, 8, 16, 32]
    assert [m.stride for m in feature_maps(made(stem="small"))] == [1, 1, 2, 4, 8]
    assert made(stem="small").input_size == 32
