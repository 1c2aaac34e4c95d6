"""Layers of plain networks: what they compute, worked another way, and what they cost."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from osler.lab.layer_costs import classifier_weights, fully_connected_share, kernels_in_a_row, squeezed
from osler.models.plan_network import PlanNetwork
from osler.models.plan_parsing import parse_plan
from osler.models.registry import create_model
from osler.ops.convolution import Window, convolve_by_matrix
from osler.ops.pooling import max_pool, max_pool_backward


def whole_numbers(*shape: int, seed: int = 0) -> torch.Tensor:
    """Sums of their products are exact in any order."""
    return torch.randint(-9, 10, shape, generator=torch.Generator().manual_seed(seed)).double()


@pytest.mark.craft("LA08")
@given(st.integers(1, 6), st.integers(1, 6), st.integers(1, 5), st.integers(0, 99))
def test_a_1x1_convolution_is_a_linear_layer_at_every_pixel(inputs: int, outputs: int, side: int, seed: int) -> None:
    x = whole_numbers(2, inputs, side, side + 1, seed=seed)
    net = PlanNetwork(1, inputs, plan=f"input8 conv1-{outputs} identity gap fc-classes").double()
    conv = net.features[0]
    assert isinstance(conv, nn.Conv2d)
    with torch.no_grad():
        conv.weight.copy_(whole_numbers(outputs, inputs, 1, 1, seed=seed + 1))
        conv.bias.copy_(whole_numbers(outputs, seed=seed + 2))
        by_pixel = F.linear(x.movedim(1, -1), conv.weight.flatten(1), conv.bias).movedim(-1, 1)
        assert torch.equal(net.features(x), by_pixel)
        matrix = convolve_by_matrix(x, conv.weight, Window(1)) + conv.bias[:, None, None]
        assert torch.equal(matrix, by_pixel)


@pytest.mark.craft("LA08")
def test_1x1_convolutions_around_a_3x3_one_save_most_of_its_products() -> None:
    direct, squeezed_cost = squeezed(256, 64)
    positions = 56 * 56
    assert direct.multiply_adds == 9 * 256 * 256 * positions
    assert squeezed_cost.multiply_adds == (256 * 64 + 9 * 64 * 64 + 64 * 256) * positions
    assert direct.multiply_adds / squeezed_cost.multiply_adds == pytest.approx(8.47, abs=0.01)
    assert direct.receptive_field == squeezed_cost.receptive_field == 3


@pytest.mark.craft("LA09")
@pytest.mark.parametrize(("small", "large", "ratio"), [([3, 3], 5, 18 / 25), ([3, 3, 3], 7, 27 / 49)])
def test_small_kernels_see_as_far_for_less(small: list[int], large: int, ratio: float) -> None:
    channels = 32
    several, one = kernels_in_a_row(small, channels=channels), kernels_in_a_row([large], channels=channels)
    assert several.receptive_field == one.receptive_field == large
    assert several.weights == 9 * len(small) * channels**2
    assert one.weights == large**2 * channels**2
    assert several.weights / one.weights == several.multiply_adds / one.multiply_adds == pytest.approx(ratio)


@pytest.mark.craft("LA09")
@pytest.mark.parametrize(("small", "large"), [("conv3-4 x2", 5), ("conv3-4 x3", 7)])
def test_the_counted_receptive_field_is_where_gradients_come_from(small: str, large: int) -> None:
    torch.manual_seed(0)
    net = PlanNetwork(1, 1, plan=f"input15 {small} gap fc-classes")
    for conv in (m for m in net.features if isinstance(m, nn.Conv2d)):
        nn.init.uniform_(conv.weight, 0.1, 1.0)
    picture = torch.ones(1, 1, 15, 15, requires_grad=True)
    net.features(picture)[0, :, 7, 7].sum().backward()
    assert picture.grad is not None
    seen = picture.grad[0, 0].nonzero()
    first, last = 7 - large // 2, 7 + large // 2
    assert seen.amin(0).tolist() == [first, first]
    assert seen.amax(0).tolist() == [last, last]


@pytest.mark.craft("LA15")
@given(st.integers(3, 60))
def test_overlapping_windows_give_maps_of_nearly_the_same_size(side: int) -> None:
    """Krizhevsky et al. 2012, section 3.4: windows of 3 at stride 2 in the place of 2 at stride 2."""
    plans = [parse_plan(f"input64 conv3-8 {pool} fc-classes") for pool in ("maxpool3/2", "maxpool2")]
    sizes = [plan.side(side) for plan in plans]
    for size, kernel in zip(sizes, (3, 2), strict=True):
        assert size == F.max_pool2d(torch.zeros(1, 1, side, side), kernel, 2).shape[-1] == (side - kernel) // 2 + 1
    assert sizes[1] - sizes[0] == (side % 2 == 0)


@pytest.mark.craft("LA15")
def test_a_maximum_under_several_windows_gets_all_their_gradients() -> None:
    x = torch.zeros(1, 1, 5, 5, dtype=torch.float64)
    x[0, 0, 2, 2] = 7.0
    gradient = torch.tensor([[1.0, 2.0], [4.0, 8.0]], dtype=torch.float64)[None, None]
    overlapping, apart = Window(3, 2), Window(2, 2)
    value, where = max_pool(x, overlapping)
    assert value.unique().tolist() == [7.0], "the centre lies under all four windows"
    back = max_pool_backward(gradient, where, (5, 5))
    assert back[0, 0, 2, 2] == 15.0
    assert back.count_nonzero() == 1
    value, where = max_pool(x, apart)
    assert max_pool_backward(gradient, where, (5, 5))[0, 0, 2, 2] == 8.0, "without overlap one window has it"
    leaf = x.clone().requires_grad_()
    F.max_pool2d(leaf, 3, 2).backward(gradient)
    assert torch.equal(back, leaf.grad)


@pytest.mark.craft("LA16")
@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 6))
def test_a_mean_of_each_map_takes_pictures_of_any_size(height: int, width: int, channels: int) -> None:
    torch.manual_seed(0)
    net = PlanNetwork(3, 2, plan=f"input8 conv3-{channels} gap fc-classes").double().eval()
    picture = torch.randn(1, 2, height, width, dtype=torch.float64)
    with torch.no_grad():
        maps = net.features(picture)
        means = net.average(maps).flatten(1)
        assert means.shape == (1, channels)
        by_hand = [sum(maps[0, c].flatten().tolist()) / (height * width) for c in range(channels)]
        assert means[0].tolist() == pytest.approx(by_hand)
        torch.testing.assert_close(net(picture), net.classifier(means))


@pytest.mark.craft("LA16")
def test_a_mean_saves_the_positions_of_the_first_connected_layer() -> None:
    weights = classifier_weights(channels=512, side=7, classes=1000)
    assert weights == {"flattened": 512 * 49 * 1000 + 1000, "averaged": 512 * 1000 + 1000}


@pytest.mark.craft("LA22")
@given(st.integers(1, 7), st.integers(1, 7), st.integers(0, 99))
def test_a_connected_layer_adds_up_every_input_times_its_weight(inputs: int, outputs: int, seed: int) -> None:
    net = PlanNetwork(outputs, 1, plan=f"input1 conv1-{inputs} fc-classes").double()
    layer = net.classifier[0]
    assert isinstance(layer, nn.Linear)
    x, w, b = whole_numbers(2, inputs, seed=seed), whole_numbers(outputs, inputs, seed=seed + 1), whole_numbers(outputs)
    with torch.no_grad():
        layer.weight.copy_(w)
        layer.bias.copy_(b)
        by_hand = [
            [sum(float(x[n, i] * w[o, i]) for i in range(inputs)) + float(b[o]) for o in range(outputs)]
            for n in range(2)
        ]
        assert layer(x).tolist() == by_hand


@pytest.mark.craft("LA22")
def test_most_of_vgg_is_in_its_connected_layers() -> None:
    with torch.device("meta"):
        vgg, resnet = create_model("vgg16"), create_model("resnet50")
    assert fully_connected_share(vgg) == pytest.approx(123_642_856 / 138_357_544)
    assert round(100 * fully_connected_share(vgg), 1) == 89.4
    assert fully_connected_share(resnet) < 0.1


@pytest.mark.craft("LA23")
@given(st.integers(1, 4), st.integers(1, 5), st.integers(1, 5))
def test_flattening_keeps_the_order_channel_by_channel_and_row_by_row(channels: int, side: int, batch: int) -> None:
    net = PlanNetwork(2, channels, plan=f"input{side} conv1-{channels} identity fc-classes")
    net.features, net.classifier = nn.Sequential(), nn.Sequential()
    x = torch.arange(batch * channels * side * side, dtype=torch.float32).view(batch, channels, side, side)
    flat = net(x)
    assert flat.shape == (batch, channels * side * side)
    for c in range(channels):
        for row in range(side):
            start = (c * side + row) * side
            assert torch.equal(flat[:, start : start + side], x[:, c, row])
    assert torch.equal(flat.view(batch, channels, side, side), x)


@pytest.mark.craft("LA23")
def test_alexnets_last_map_is_9216_numbers() -> None:
    with torch.device("meta"):
        net = create_model("alexnet")
        maps = net.features(torch.zeros(1, 3, 227, 227))
        assert maps.shape == (1, 256, 6, 6)
        assert net.average(maps).flatten(1).shape == (1, 9216)
    assert net.classifier[0].in_features == 9216
