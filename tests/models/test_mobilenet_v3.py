"""MobileNetV3: published counts by width, and what is new in it."""

import pytest
import torch
from torch import nn

from osler.models.cost import multiply_adds
from osler.models.mobilenet_v3 import LARGE, SMALL, Row
from osler.models.registry import create_model, feature_maps
from osler.nn.squeeze_excitation import SqueezeExcitation

TABLES = {"mobilenet_v3_large": LARGE, "mobilenet_v3_small": SMALL}
both = pytest.mark.parametrize("name", list(TABLES))


def made(name: str, width: float = 1.0, **options: object) -> nn.Module:
    with torch.device("meta"):
        return create_model(name, width=width, **options)


def parameters(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


@pytest.mark.craft("LW06")
@pytest.mark.parametrize(("name", "count"), [("mobilenet_v3_large", 5_483_032), ("mobilenet_v3_small", 2_542_856)])
def test_they_have_the_published_parameters(name: str, count: int) -> None:
    assert parameters(made(name)) == count


@pytest.mark.craft("LW06", "LW18")
@pytest.mark.parametrize(
    ("name", "width", "millions", "mult_adds"),
    [
        ("mobilenet_v3_large", 1.0, 5.4, 219),
        ("mobilenet_v3_large", 0.75, 4.0, 155),
        ("mobilenet_v3_small", 1.0, 2.5, 56),
        ("mobilenet_v3_small", 0.75, 2.0, 44),
    ],
)
def test_widths_have_the_papers_counts(name: str, width: float, millions: float, mult_adds: int) -> None:
    """Howard et al. 2019, table 3: printed to two figures, and multiply-adds of all operators, ours of layers."""
    model = made(name, width)
    assert parameters(model) / 1e6 == pytest.approx(millions, abs=0.09)
    assert multiply_adds(model, 3, (224, 224)) / 1e6 == pytest.approx(mult_adds, rel=0.02)


@pytest.mark.craft("LW06")
@pytest.mark.parametrize(
    ("name", "shapes"),
    [
        ("mobilenet_v3_large", [(16, 112), (24, 56), (40, 28), (112, 14), (160, 7)]),
        ("mobilenet_v3_small", [(16, 56), (24, 28), (48, 14), (96, 7)]),
    ],
)
def test_maps_have_the_papers_shapes(name: str, shapes: list[tuple[int, int]]) -> None:
    """Tables 1 and 2: channels and side of the last map at each resolution, for pictures of 224 pixels."""
    assert [(m.channels, 224 // m.stride) for m in feature_maps(made(name))] == shapes


@pytest.mark.craft("LW06")
@both
def test_blocks_are_the_tables_rows(name: str) -> None:
    """Kernel, widths, gate, activation and stride, read back from the modules."""
    seen, before = [], 16
    for block in made(name).blocks:
        depthwise = block.layers.depthwise
        gate = "attention" in dict(block.layers.named_children())
        assert block.residual == (depthwise.conv.stride == (1, 1) and before == block.layers.project.conv.out_channels)
        before = block.layers.project.conv.out_channels
        seen.append(
            Row(
                depthwise.conv.kernel_size[0],
                depthwise.conv.out_channels,
                before,
                gate,
                isinstance(depthwise.act, nn.Hardswish),
                depthwise.conv.stride[0],
            )
        )
    assert tuple(seen) == TABLES[name]


@pytest.mark.craft("LW06")
@pytest.mark.parametrize(
    ("name", "gates", "hard_from"),
    [
        ("mobilenet_v3_large", [24, 32, 32, 120, 168, 168, 240, 240], 6),
        ("mobilenet_v3_small", [8, 24, 64, 64, 32, 40, 72, 144, 144], 3),
    ],
)
def test_what_is_new_in_it(name: str, gates: list[int], hard_from: int) -> None:
    """Light gates of a quarter with a hard sigmoid; h-swish in the deeper half; 16 channels and h-swish in the stem."""
    model = made(name)
    found = [m for m in model.modules() if isinstance(m, SqueezeExcitation)]
    assert [g.fc1.out_channels for g in found] == gates, "a quarter, as a multiple of 8 and not below 90 %"
    assert all(isinstance(g.gate, nn.Hardsigmoid) for g in found)
    hard = [any(isinstance(m, nn.Hardswish) for m in block.modules()) for block in model.blocks]
    assert hard == [i >= hard_from for i in range(len(model.blocks))]
    assert model.stem.conv.out_channels == 16
    assert all(isinstance(a, nn.Hardswish) for a in (model.stem.act, model.last.act, model.act))


@pytest.mark.craft("LW06")
@both
def test_the_mean_is_taken_before_the_widest_layer(name: str) -> None:
    model, sizes = create_model(name, width=0.125, num_classes=3).eval(), []
    model.average.register_forward_pre_hook(lambda _m, inputs: sizes.append(inputs[0].shape[1]))
    model.hidden.register_forward_pre_hook(lambda _m, inputs: sizes.append(inputs[0].ndim))
    model(torch.randn(1, 3, 64, 64))
    assert sizes == [model.last.conv.out_channels, 2]
    assert model.hidden.out_features > model.last.conv.out_channels


@both
def test_the_small_stem_leaves_two_strides_out(name: str) -> None:
    assert feature_maps(made(name, stem="small"))[-1].stride == 8
    assert feature_maps(made(name, stem="small"))[0].stride == 1
