"""What layers cost: the published counts, and two counters that are not ours."""

import json
from math import prod
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from osler.anatomy.inspecting import inspect_network
from osler.anatomy.layer import Anatomy
from osler.models.public_names import PublicNetwork, published
from osler.models.registry import create_model, list_models
from osler.ops.convolution_cost import convolution_cost

FACTS = Path(__file__).parents[2].parent / "shared" / "reference" / "classification.json"
BY_MEAN = {
    "seresnet50",
    "legacy_seresnet50",
    "legacy_senet154",
}  # timm takes these gates' means without a pooling layer


def one(layer: nn.Module, *shape: int) -> Anatomy:
    return inspect_network(nn.Sequential(layer), shape)


def named(name: str, **options: object) -> nn.Module:
    with torch.device("meta"):
        return create_model(name, **options)


@pytest.mark.craft("LA07", "LW02")
def test_the_worked_example_of_vgg_and_mobilenet() -> None:
    full = one(nn.Conv2d(64, 128, 3, padding=1, bias=False), 64, 112, 112)
    parts = [nn.Conv2d(64, 64, 3, padding=1, groups=64, bias=False), nn.Conv2d(64, 128, 1, bias=False)]
    separable = inspect_network(nn.Sequential(*parts), (64, 112, 112))
    assert full.multiply_adds == 924_844_032
    assert separable.multiply_adds == 109_985_792
    assert round(separable.multiply_adds / full.multiply_adds, 4) == 0.1189
    assert 1 / 9 < separable.multiply_adds / full.multiply_adds < 1 / 8
    assert full.layers[0].windows[0].worked_cost == "112·112 · 128 · 64 · 3·3 = 924,844,032"


@pytest.mark.craft("LA07")
@pytest.mark.parametrize("name", list_models())
def test_parameters_are_those_of_the_modules_and_biases_are_counted_apart(name: str) -> None:
    model = named(name)
    counted = inspect_network(model, (3, model.input_size, model.input_size))
    biases = sum(p.numel() for key, p in model.named_parameters() if key.endswith("bias"))
    assert counted.parameters == sum(p.numel() for p in model.parameters())
    assert counted.biases == biases
    assert counted.unknown == {}
    assert counted.notes == ()


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 4), st.integers(1, 6), st.integers(1, 3), st.integers(1, 3), st.integers(1, 5), st.booleans())
def test_a_convolution_costs_what_the_formula_says(
    inputs: int, outputs: int, groups: int, stride: int, kernel: int, bias: bool
) -> None:
    layer = nn.Conv2d(inputs * groups, outputs * groups, kernel, stride, kernel // 2, groups=groups, bias=bias)
    counted = one(layer, inputs * groups, 17, 13)
    height, width = counted.layers[0].output_shape[2:]
    formula = convolution_cost(inputs * groups, outputs * groups, kernel, (height, width), groups=groups, bias=bias)
    assert (counted.multiply_adds, counted.weights, counted.biases) == (
        formula.multiply_adds,
        formula.weights,
        formula.biases,
    )


def multihead() -> nn.Module:
    return nn.TransformerEncoderLayer(48, 4, 96, batch_first=True)


CASES = {
    "resnet": (lambda: named("resnet18"), (3, 64, 64)),
    "inception": (lambda: named("googlenet"), (3, 224, 224)),
    "transposed": (lambda: nn.ConvTranspose2d(8, 4, 3, 2, 1, 1, groups=2), (8, 9, 7)),
    "depth": (lambda: nn.Conv3d(2, 4, 3, padding=1), (2, 5, 6, 7)),
    "sequence": (lambda: nn.Conv1d(4, 6, 5, 2), (4, 33)),
    "attention": (multihead, (10, 48)),
    "linear": (lambda: nn.Linear(10, 4), (7, 10)),
}


@pytest.mark.craft("LA07")
@pytest.mark.parametrize("case", CASES)
def test_multiply_adds_are_half_of_pytorchs_own_count_of_operations(case: str) -> None:
    make, shape = CASES[case]
    model = make().to("meta").eval()
    with FlopCounterMode(
        display=False
    ) as counter:  # with gradients: without them a transformer's layer is one operator
        model(torch.zeros(1, *shape, device="meta"))
    assert inspect_network(model, shape).multiply_adds == counter.get_total_flops() // 2 > 0


def test_einsum_and_bilinear_are_products_too() -> None:
    class Sums(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.einsum("bij,bkj->bik", x, x)

    assert inspect_network(Sums(), (6, 5)).multiply_adds == 6 * 6 * 5


def test_other_operators_are_counted_in_operations_on_elements() -> None:
    parts = {
        nn.ReLU(): 300,
        nn.BatchNorm2d(3): 600,
        nn.GroupNorm(1, 3): 1500,
        nn.MaxPool2d(2): 75 * 4,
        nn.AvgPool2d(5, 5): 12 * 25,
        nn.AdaptiveAvgPool2d(1): 300,
        nn.Softmax2d(): 1200,
        nn.Flatten(): 0,
        nn.Upsample(scale_factor=2): 0,
        nn.Upsample(scale_factor=2, mode="bilinear"): 4 * 1200,
        nn.ZeroPad2d(1): 0,
    }
    for layer, operations in parts.items():
        counted = one(layer, 3, 10, 10)
        assert (counted.element_operations, counted.multiply_adds) == (operations, 0), layer


def as_fvcore_counts(counted: Anatomy) -> tuple[int, int]:
    """What fvcore adds up: products, two for each value of a batch norm, one for each value into an adaptive pooling; and the
    part of that pooling inside gates."""
    norms = sum(layer.element_operations for layer in counted.layers if layer.kind == "BatchNorm2d")
    pools = [layer for layer in counted.layers if layer.kind == "AdaptiveAvgPool2d"]
    gates = sum(layer.element_operations for layer in pools if layer.path.count(".") > 0)
    return counted.multiply_adds + norms + sum(layer.element_operations for layer in pools), gates


def compared() -> list[PublicNetwork]:
    return [
        p for p in published() if FACTS.is_file() and f"{p.library}/{p.name}" in json.loads(FACTS.read_text())["models"]
    ]


@pytest.mark.craft("LA07", "LW01", "LW03", "LW06")
@pytest.mark.parametrize("public", compared(), ids=lambda p: f"{p.library}/{p.name}")
def test_counts_are_fvcores_of_the_public_network(public: PublicNetwork) -> None:
    known = json.loads(FACTS.read_text(encoding="utf-8"))["models"][f"{public.library}/{public.name}"]
    counted = inspect_network(named(public.network, **public.options), (3, known["input_size"], known["input_size"]))
    theirs, gates = as_fvcore_counts(counted)
    assert counted.parameters == known["parameters"]
    assert known["macs_fvcore"] == theirs - (gates if public.name in BY_MEAN else 0)


def test_the_facts_of_public_networks_were_there() -> None:
    if not FACTS.is_file():
        pytest.skip(f"the facts of public networks are not there: {FACTS}")
    assert len(compared()) >= 33


@pytest.mark.craft("LW18")
def test_multiply_adds_fall_with_the_square_of_the_resolution() -> None:
    model = named("mobilenet_v1")
    large, small = (inspect_network(model, (3, side, side)) for side in (448, 224))  # both divide by all strides
    head = large.layers[-1].multiply_adds
    assert (large.multiply_adds - head) == 4 * (small.multiply_adds - head)
    assert small.multiply_adds == 568_740_352
    assert small.parameters == 4_231_976


def test_an_output_takes_four_bytes_for_each_value() -> None:
    counted = one(nn.Conv2d(3, 8, 3), 3, 10, 10)
    assert counted.layers[0].output_bytes == 4 * prod((8, 8, 8))
    assert counted.peak_bytes == 4 * (300 + 512)
