"""Receptive fields by arithmetic: the textbooks' numbers, and for every network what a gradient shows."""

from fractions import Fraction

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import nn

from osler.anatomy.effective_receptive_field import effective_receptive_field
from osler.anatomy.inspecting import inspect_network
from osler.anatomy.measured_receptive_field import measured, propagated
from osler.anatomy.reach import PIXEL
from osler.models.registry import create_model, feature_maps, list_models, model_options
from osler.structures.errors import RecipeError

# Araujo, Norris and Sim 2019, "Computing receptive fields of convolutional neural networks", table 1 (networks whose
# layers are as ours; their ResNets take their strides elsewhere).
PUBLISHED = {
    "alexnet": 195,
    "vgg16": 212,
    "mobilenet_v1": 315,
    "bn_inception": 699,
    "inception_v3": 1311,
    "inception_v4": 2071,
    "inception_resnet_v2": 3039,
}


def stack(*layers: nn.Module) -> nn.Sequential:
    return nn.Sequential(*layers)


def threes(count: int, *, stride: int = 1) -> list[nn.Module]:
    return [nn.Conv2d(3, 3, 3, stride, padding=1) for _ in range(count)]


def named(name: str, **options: object) -> nn.Module:
    with torch.device("meta"):
        return create_model(name, **options)


def sees(model: nn.Module, side: int = 64) -> tuple[int, ...]:
    field = inspect_network(model, (3, side, side)).layers[-1].sees
    assert field is not None
    return field.size


@pytest.mark.craft("LA03", "LA09")
def test_two_threes_see_what_a_five_sees_with_eighteen_of_its_25_weights() -> None:
    two, five = stack(*threes(2)), stack(nn.Conv2d(3, 3, 5, padding=2))
    assert sees(two) == sees(five) == (5, 5)
    weights = [inspect_network(m, (3, 32, 32)).weights for m in (two, five)]
    assert Fraction(*weights) == Fraction(18, 25)
    assert sees(stack(*threes(3))) == (7, 7)


@pytest.mark.craft("LA03")
def test_vgg_and_alexnet() -> None:
    vgg = inspect_network(named("vgg16"), (3, 224, 224))
    conv5_3, pool5 = vgg.layer("features.28"), vgg.layer("features.30")
    assert conv5_3.kind == "Conv2d"
    assert conv5_3.sees.size == (196, 196)
    assert pool5.sees.size == (212, 212)
    assert [side.jump for side in pool5.sees.sides] == [32, 32]
    assert inspect_network(named("alexnet"), (3, 227, 227)).layer("features.14").sees.size == (195, 195)


@pytest.mark.craft("LA03")
@pytest.mark.parametrize("name", PUBLISHED)
def test_published_receptive_fields(name: str) -> None:
    model = named(name)
    last = feature_maps(model)[-1].module
    assert propagated(model, last, (model.input_size,) * 2).size == (PUBLISHED[name],) * 2


@pytest.mark.craft("LA34")
def test_pooling_widens_what_the_layers_behind_it_see() -> None:
    pool = nn.MaxPool2d(2)
    without = inspect_network(stack(*threes(4)), (3, 64, 64))
    with_pools = inspect_network(stack(*threes(2), pool, *threes(2)), (3, 64, 64))
    assert [layer.sees.size[0] for layer in without.layers] == [3, 5, 7, 9]
    assert [layer.sees.size[0] for layer in with_pools.layers] == [3, 5, 6, 10, 14]
    assert [layer.output_shape[-1] for layer in with_pools.layers] == [64, 64, 32, 32, 32]


def test_the_jump_is_the_product_of_the_strides_and_the_centre_moves_with_the_padding() -> None:
    padded = inspect_network(stack(*threes(3, stride=2)), (3, 65, 65)).layers[-1].sees.sides[0]
    assert padded.jump == 8
    assert padded.pixels == 15
    assert padded.first == (-7, 7)
    assert padded.centre == 0.0
    bare = inspect_network(stack(*(nn.Conv2d(3, 3, 3, 2) for _ in range(3))), (3, 65, 65)).layers[-1].sees.sides[0]
    assert bare.centre == 7.0


def test_branches_join_as_the_interval_around_both() -> None:
    class Fork(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.wide, self.high, self.one = nn.Conv2d(3, 4, (1, 7)), nn.Conv2d(3, 4, (5, 1)), nn.Conv2d(3, 4, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            cut = x[:, :, 2:-2, 3:-3]
            return torch.cat([self.wide(x)[:, :, 2:-2], self.high(x)[:, :, :, 3:-3], self.one(cut)], dim=1)

    field = inspect_network(Fork(), (3, 20, 24)).layers[-1].sees
    assert field.size == (5, 7)
    assert [side.first for side in field.sides] == [(0, 4), (0, 6)]


def test_a_gate_sees_the_whole_map_and_the_neighbourhood_is_told_beside_it() -> None:
    field = inspect_network(named("seresnet50"), (3, 224, 224)).layer("layer1.0").sees
    assert field.beyond
    assert field.size == (19, 19)
    assert not inspect_network(named("resnet50"), (3, 224, 224)).layer("layer1.0").sees.beyond


def test_attention_joins_tokens_that_were_flattened_and_windows_stay_windows() -> None:
    class Windows(nn.Module):
        """Attention inside windows of 4 x 4 tokens, by views and permutations, and back to a map."""

        def __init__(self, window: int) -> None:
            super().__init__()
            self.patch, self.window = nn.Conv2d(3, 8, 4, 4), window

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x, w = self.patch(x), self.window
            b, c, h, width = x.shape
            tokens = x.view(b, c, h // w, w, width // w, w).permute(0, 2, 4, 3, 5, 1).reshape(-1, w * w, c)
            tokens = tokens + nn.functional.scaled_dot_product_attention(tokens, tokens, tokens)
            back = tokens.view(b, h // w, width // w, w, w, c).permute(0, 5, 1, 3, 2, 4)
            return back.reshape(b, c, h, width)

    every = inspect_network(Windows(8), (3, 32, 32)).layers[-1].sees
    assert every.size == (4, 4)
    assert every.beyond
    assert every.exact
    model = Windows(4)
    some = inspect_network(nn.Sequential(model, nn.AvgPool2d(4)), (3, 32, 32)).layers[-1].sees
    assert some.exact
    assert some.size == (16, 16)
    assert [side.jump for side in some.sides] == [16, 16]


def test_upsampling_halves_the_jump_and_positions_take_turns() -> None:
    up = inspect_network(stack(*threes(1, stride=2), nn.Upsample(scale_factor=4), *threes(1)), (3, 32, 32))
    assert up.layers[-2].sees.size == (3, 3)
    assert up.layers[-1].sees.size == (5, 5)  # of two neighbours, at most
    assert up.layers[-1].sees.sides[0].jump == Fraction(1, 2)


def layers() -> st.SearchStrategy[nn.Module]:
    """Layers of three channels, of every kind that walks over a map."""
    kernels, strides = st.integers(1, 4), st.integers(1, 3)

    @st.composite
    def convolution(draw: st.DrawFn) -> nn.Module:
        kernel = draw(st.tuples(kernels, kernels))
        padding = tuple(draw(st.integers(0, k)) for k in kernel)
        return nn.Conv2d(3, 3, kernel, draw(st.tuples(strides, strides)), padding, draw(st.integers(1, 2)))

    @st.composite
    def transposed(draw: st.DrawFn) -> nn.Module:
        stride = draw(st.integers(1, 3))
        return nn.ConvTranspose2d(
            3, 3, draw(kernels), stride, draw(st.integers(0, 1)), draw(st.integers(0, stride - 1))
        )

    @st.composite
    def pooling(draw: st.DrawFn) -> nn.Module:
        kernel = draw(st.integers(1, 4))
        kind = draw(st.sampled_from([nn.MaxPool2d, nn.AvgPool2d]))
        return kind(kernel, draw(strides), draw(st.integers(0, kernel // 2)), ceil_mode=draw(st.booleans()))

    up = st.builds(
        lambda scale, mode: nn.Upsample(scale_factor=scale, mode=mode),
        st.integers(2, 3),
        st.sampled_from(["nearest", "bilinear"]),
    )
    shuffle = st.just(nn.Sequential(nn.Conv2d(3, 12, 1), nn.PixelShuffle(2)))
    unshuffle = st.just(nn.Sequential(nn.PixelUnshuffle(2), nn.Conv2d(12, 3, 1)))
    pad = st.builds(nn.ZeroPad2d, st.tuples(*[st.integers(-1, 2)] * 4))
    return st.one_of(convolution(), convolution(), pooling(), transposed(), up, shuffle, unshuffle, pad)


MARGIN = 24  # pixels to the border, so that no padding on the way plays a part


@settings(max_examples=40, deadline=None)
@given(st.lists(layers(), min_size=1, max_size=5), st.tuples(st.floats(0, 1), st.floats(0, 1)))
def test_any_stack_of_layers_sees_what_the_gradient_shows(parts: list[nn.Module], where: tuple[float, float]) -> None:
    side = 144
    model = nn.Sequential(*parts, nn.Identity())
    last = str(len(parts))
    try:
        field = propagated(model, last, (side, side))
    except RecipeError:
        assume(False)
    inner = []
    for seen, fraction in zip(field.sides, where, strict=True):
        fit = [i for i in range(len(seen.lows)) if MARGIN <= seen.lows[i] <= seen.highs[i] < side - MARGIN]
        assume(seen.jump is not None and len(fit) > 0 and len(seen.lows) <= 400)
        inner.append(fit[int(fraction * (len(fit) - 1))])
    assume(field.exact)
    extent = measured(model, last, (side, side), inner)
    assert extent.pixels == tuple((s.lows[i], s.highs[i]) for s, i in zip(field.sides, inner, strict=True))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 5), st.integers(1, 4), st.integers(0, 3)), min_size=1, max_size=6))
def test_the_recursion_of_the_textbooks(layers_: list[tuple[int, int, int]]) -> None:
    """l_k = l_(k-1) + (f_k - 1) * product of the strides before."""
    reach, size, jump, start = PIXEL, 1, 1, 0
    for kernel, stride, padding in layers_:
        reach = reach.through(lambda o, k=kernel, s=stride, p=padding: range(o * s - p, o * s - p + k), 1, stride)
        size, start, jump = size + (kernel - 1) * jump, start - padding * jump, jump * stride
    assert reach.size == size
    assert reach.jump == jump
    assert reach.at(0) == (start, start + size - 1)
    assert reach.at(3) == (start + 3 * jump, start + 3 * jump + size - 1)


def assert_measured_along(model: nn.Module, layer: str, axis: int) -> None:
    """On a picture that is long along one side: a middle position sees exactly what the arithmetic says."""
    field = propagated(model, layer, (model.input_size,) * 2)
    side = field.sides[axis]
    if side.jump is None:
        assert side.everything  # a layer that looks at the whole map
        return
    size = [model.minimum_size] * 2
    stride = max(1, int(side.jump))
    size[axis] = max((side.pixels // stride + 4) * stride, model.minimum_size)
    long = propagated(model, layer, size).sides[axis]
    middle = [0, 0]
    middle[axis] = len(long.lows) // 2
    low, high = long.lows[middle[axis]], long.highs[middle[axis]]
    assert low >= 0, "the picture is too small for the proof"
    assert high < size[axis], "the picture is too small for the proof"
    assert measured(model, layer, size, middle).pixels[axis] == (low, high)


@pytest.mark.craft("LA03")
@pytest.mark.parametrize("name", list_models())
def test_every_networks_receptive_field_is_what_its_gradient_shows(name: str) -> None:
    narrow = {"width": 0.125} if "width" in model_options(name) else {}
    model = named(name, **narrow)
    last = feature_maps(model)[-1].module
    for axis in (0, 1) if "inception" in name else (len(name) % 2,):  # only these have kernels longer than wide
        assert_measured_along(model, last, axis)


@pytest.mark.craft("LA03")
def test_the_effective_field_is_smaller_and_in_the_middle() -> None:
    torch.manual_seed(0)
    ratios = []
    for depth in (4, 16):
        model = stack(*(nn.Conv2d(3, 3, 3, padding=1, bias=False) for _ in range(depth)))
        for layer in model:
            nn.init.uniform_(layer.weight, 0, 1)
        field = effective_receptive_field(model, str(depth - 1), (49, 49), pictures=1)
        influence = field.influence
        assert influence.argmax() == 24 * 49 + 24
        rows = influence.sum(1).nonzero().flatten()
        assert (int(rows[0]), int(rows[-1])) == (24 - depth, 24 + depth)  # what could matter: 2 * depth + 1 pixels
        ratios.append(field.side / (2 * depth + 1))
    assert ratios[1] < 0.75 * ratios[0], "it grows with the root of the depth"


def test_a_field_without_numbers_or_without_the_layer_is_refused() -> None:
    with pytest.raises(RecipeError, match="no numbers"):
        effective_receptive_field(named("resnet18"), "layer1", (64, 64))
    with pytest.raises(RecipeError, match="no module 'layer9'"):
        propagated(named("resnet18"), "layer9", (64, 64))
    with pytest.raises(RecipeError, match="does not run"):
        propagated(named("googlenet"), "aux1", (224, 224))
