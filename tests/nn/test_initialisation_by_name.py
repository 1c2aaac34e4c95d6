"""Every way of the field to start weights, by name, for any network."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from osler.models.registry import create_model
from osler.nn.fans import Fans, fans_of
from osler.nn.initialisation import initialise
from osler.nn.initialisers import initialisers
from osler.nn.locally_connected import LocallyConnected2d
from osler.nn.table_conv import TableConv2d
from osler.structures.errors import RecipeError, UnknownNameError

NAMES = tuple(initialisers)
RANDOM = ("normal", "uniform", "truncated_normal", "xavier_normal", "xavier_uniform", "he_normal", "he_uniform")


def filled(layer: nn.Module, name: str, **options: object) -> Tensor:
    """The weight of a layer that is not the head, started by name."""
    model = nn.Sequential(layer, nn.Linear(2, 2))
    torch.manual_seed(0)
    initialise(model, name, options=options)
    return layer.weight.detach()


def pictures(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(3))


def network() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 3, groups=8, padding=1), nn.ReLU(),
        nn.ConvTranspose2d(8, 8, 2, stride=2), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 6), nn.ReLU(),
        nn.Linear(6, 4),
    )  # fmt: skip


@pytest.mark.craft("IN05")
@pytest.mark.parametrize("name", NAMES)
def test_biases_start_at_zero_and_norms_stay(name: str) -> None:
    model = network()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(0.7)
    initialise(model, name, images=pictures(16, 3, 8, 8))
    biases = [m.bias for m in model if isinstance(m, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear))]
    assert len(biases) == 5
    if name == "torch":  # which draws them
        assert all(b.any() and not (b == 0.7).any() for b in biases)
    else:
        assert not any(b.any() for b in biases)
    assert (model[1].weight == 0.7).all()
    assert (model[1].bias == 0.7).all()
    assert not any((m.weight == 0.7).all() for m in model if isinstance(m, (nn.Conv2d, nn.Linear)))


@pytest.mark.craft("IN04")
@pytest.mark.parametrize(("low", "high"), [(-0.05, 0.05), (-1.0, 3.0), (0.5, 0.6)])
def test_uniform_honours_its_bounds_and_has_their_variance(low: float, high: float) -> None:
    weight = filled(nn.Linear(300, 300), "uniform", low=low, high=high)
    assert low <= float(weight.min()) < low + 0.01 * (high - low)
    assert high >= float(weight.max()) > high - 0.01 * (high - low)
    assert float(weight.var()) == pytest.approx((high - low) ** 2 / 12, rel=0.02)


@pytest.mark.craft("IN09")
@pytest.mark.parametrize("std", [0.02, 1.5])
def test_truncated_normal_has_no_sample_beyond_two_sigma(std: float) -> None:
    weight = filled(nn.Conv2d(64, 128, 5), "truncated_normal", std=std)
    assert float(weight.abs().max()) <= 2 * std
    assert float(weight.abs().max()) > 1.9 * std
    assert float(weight.std()) == pytest.approx(0.8796 * std, rel=0.01)
    wider = filled(nn.Conv2d(64, 128, 5), "truncated_normal", std=std, cut=3.0)
    assert 2.5 * std < float(wider.abs().max()) <= 3 * std


def test_normal_and_constant_are_what_they_say() -> None:
    weight = filled(nn.Linear(300, 300), "normal", mean=0.5, std=0.2)
    assert float(weight.mean()) == pytest.approx(0.5, abs=0.01)
    assert float(weight.std()) == pytest.approx(0.2, rel=0.02)
    assert (filled(nn.Linear(3, 3), "constant", value=0.3) == 0.3).all()
    assert not filled(nn.Linear(3, 3), "zeros").any()


@pytest.mark.craft("IN06", "IN07")
@pytest.mark.parametrize(
    ("name", "torchs"),
    [
        ("xavier_normal", nn.init.xavier_normal_),
        ("xavier_uniform", nn.init.xavier_uniform_),
        ("he_normal", lambda w: nn.init.kaiming_normal_(w, nonlinearity="relu")),
        ("he_uniform", lambda w: nn.init.kaiming_uniform_(w, nonlinearity="relu")),
    ],
)
@pytest.mark.parametrize("layer", [nn.Linear(20, 30), nn.Conv2d(8, 12, 3), nn.Conv1d(4, 6, 5), nn.Conv3d(2, 3, 2)])
def test_plain_layers_start_as_torch_starts_them(name: str, torchs: object, layer: nn.Module) -> None:
    expected = torch.empty_like(layer.weight)
    torch.manual_seed(0)
    torchs(expected)
    torch.testing.assert_close(filled(layer, name), expected)


def test_he_of_fan_out_is_torchs() -> None:
    layer = nn.Conv2d(4, 32, 3)
    torch.manual_seed(0)
    expected = nn.init.kaiming_normal_(torch.empty_like(layer.weight), mode="fan_out", nonlinearity="relu")
    torch.testing.assert_close(filled(layer, "he_normal", mode="fan_out"), expected)


def counted(layer: nn.Module, channels: int, side: int = 16) -> Fans:
    """The fans by counting: with weights of 1, a picture of ones gives its fan in, and a gradient of ones the fan out."""
    with torch.no_grad():
        layer.weight.fill_(1.0)
    picture = torch.ones(1, channels, side, side, requires_grad=True)
    output = layer(picture)
    output.sum().backward()
    middle = slice(
        output.shape[-1] // 2 - 3, output.shape[-1] // 2 + 3
    )  # six positions: whole periods of strides 1 to 3
    assert picture.grad is not None
    centre = slice(side // 2 - 2, side // 2 + 2)
    return Fans(float(output[0, 0, middle, middle].detach().mean()), float(picture.grad[0, 0, centre, centre].mean()))


@settings(max_examples=25, deadline=None)
@given(
    groups=st.sampled_from([1, 2, 4]), inputs=st.sampled_from([4, 8]), outputs=st.sampled_from([4, 12]),
    kernel=st.integers(1, 4), stride=st.integers(1, 3), transposed=st.booleans(),
)  # fmt: skip
def test_fans_are_as_counted(
    groups: int, inputs: int, outputs: int, kernel: int, stride: int, transposed: bool
) -> None:
    kind = nn.ConvTranspose2d if transposed else nn.Conv2d
    layer = kind(inputs, outputs, kernel, stride=stride if transposed else 1, groups=groups, bias=False)
    fans, seen = fans_of(layer), counted(layer, inputs)
    assert fans.fan_in == pytest.approx(seen.fan_in, rel=1e-5)
    assert fans.fan_out == pytest.approx(seen.fan_out, rel=1e-5)


@pytest.mark.parametrize("name", ["he_normal", "he_uniform", "orthogonal"])
@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(64, 64, 3, groups=64),
        nn.Conv2d(64, 64, 3, groups=4),
        nn.ConvTranspose2d(64, 64, 2, stride=2),
        nn.ConvTranspose2d(64, 64, 4, stride=2, groups=8),
        nn.Conv2d(64, 64, 1),
    ],
    ids=["depthwise", "grouped", "transposed", "transposed and grouped", "pointwise"],
)
def test_the_size_of_the_signal_is_kept(name: str, layer: nn.Module) -> None:
    """With a gain of 1 and nothing behind it, a layer's outputs are as large as its inputs."""
    filled(layer, name, gain=1.0)
    with torch.no_grad():
        size = float(layer(pictures(8, 64, 12, 12))[:, :, 4:-4, 4:-4].square().mean().sqrt())
    if name == "orthogonal" and isinstance(layer, nn.ConvTranspose2d):
        assert size == pytest.approx(0.5, abs=0.1)  # kernels keep the sum of squares, spread over four times the pixels
    else:
        assert size == pytest.approx(1.0, abs=0.15)


@pytest.mark.craft("IN08")
@pytest.mark.parametrize(("outputs", "inputs"), [(40, 40), (60, 24), (24, 60)])
def test_orthogonal_weights_are_orthonormal(outputs: int, inputs: int) -> None:
    weight = filled(nn.Linear(inputs, outputs), "orthogonal").double()
    short = weight.T @ weight if outputs >= inputs else weight @ weight.T
    torch.testing.assert_close(short, torch.eye(len(short), dtype=torch.float64), atol=1e-6, rtol=0)
    scaled = filled(nn.Linear(inputs, outputs), "orthogonal", gain=3.0)
    assert float(torch.linalg.matrix_norm(scaled, 2)) == pytest.approx(3.0, rel=1e-5)


@pytest.mark.craft("IN08")
def test_every_group_is_orthonormal_for_itself_also_when_transposed() -> None:
    grouped = filled(nn.Conv2d(8, 12, 3, groups=4), "orthogonal")
    for kernel in grouped.flatten(1).split(3):
        torch.testing.assert_close(kernel @ kernel.T, torch.eye(3), atol=1e-5, rtol=0)
    transposed = filled(nn.ConvTranspose2d(12, 8, 3, groups=4), "orthogonal")
    for kernel in transposed.split(3):  # [inputs, outputs, height, width] of a group
        rows = kernel.transpose(0, 1).flatten(1)
        torch.testing.assert_close(rows @ rows.T, torch.eye(2), atol=1e-5, rtol=0)


@pytest.mark.parametrize("kind", [nn.Conv2d, nn.ConvTranspose2d])
@pytest.mark.parametrize(("inputs", "outputs", "groups"), [(6, 6, 1), (6, 6, 3), (6, 10, 1), (10, 6, 2)])
def test_identity_passes_the_inputs_on(kind: type, inputs: int, outputs: int, groups: int) -> None:
    layer = kind(inputs, outputs, 3, padding=1, groups=groups)
    filled(layer, "identity")
    x = pictures(2, inputs, 7, 7)
    each, of_each = inputs // groups, outputs // groups
    same = min(each, of_each)
    for shown, answer in zip(x.split(each, 1), layer(x).split(of_each, 1), strict=True):
        torch.testing.assert_close(answer[:, :same], shown[:, :same])
        assert of_each == same or float(answer[:, same:].detach().std()) > 0.1
    linear = nn.Linear(5, 5)
    filled(linear, "identity")
    assert torch.equal(linear.weight, torch.eye(5))


@pytest.mark.parametrize("name", ["he_normal", "he_uniform", "xavier_normal", "xavier_uniform", "orthogonal"])
def test_the_head_has_gain_one_whatever_the_gain(name: str) -> None:
    model = nn.Sequential(nn.Linear(400, 400), nn.ReLU(), nn.Linear(400, 400))
    torch.manual_seed(0)
    initialise(model, name, options={"gain": 3.0})
    assert float(model[0].weight.detach().std()) == pytest.approx(3 / 20, rel=0.02)
    assert float(model[2].weight.detach().std()) == pytest.approx(1 / 20, rel=0.02)


def test_torch_is_what_a_new_layer_has() -> None:
    torch.manual_seed(0)
    new = nn.Sequential(nn.Linear(4, 5), nn.Conv2d(2, 3, 3))
    old = nn.Sequential(nn.Linear(4, 5), nn.Conv2d(2, 3, 3))
    torch.manual_seed(0)
    initialise(old, "torch")
    assert all(torch.equal(a, b) for a, b in zip(new.parameters(), old.parameters(), strict=True))


def test_weights_that_are_fixed_stay_and_tables_are_filled() -> None:
    model = create_model("airbench", num_classes=10, widths=(8, 8, 8))
    fixed = model.whiten.weight.clone()
    assert initialise(model, "he_normal") == []
    assert torch.equal(model.whiten.weight, fixed)
    table = TableConv2d(40, [range(10 * (i % 4), 10 * (i % 4) + 10) for i in range(40)], 5)
    assert float(filled(table, "he_normal").std()) == pytest.approx(math.sqrt(2 / 250), rel=0.03)
    local = filled(LocallyConnected2d(16, 8, 3, (6, 6)), "he_normal")
    assert float(local.std()) == pytest.approx(math.sqrt(2 / 144), rel=0.03)
    for kernel in filled(LocallyConnected2d(4, 8, 3, (4, 4)), "orthogonal"):
        torch.testing.assert_close(kernel.flatten(1) @ kernel.flatten(1).T, torch.eye(8), atol=1e-5, rtol=0)


def test_memory_order_makes_no_difference() -> None:
    plain, last = nn.Conv2d(4, 6, 3), nn.Conv2d(4, 6, 3).to(memory_format=torch.channels_last)
    for name in (*RANDOM, "orthogonal", "identity"):
        assert torch.equal(filled(plain, name), filled(last, name)), name
    assert last.weight.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.craft("IN01")
def test_zeros_and_constants_say_why_they_do_not_work() -> None:
    for name in ("zeros", "constant"):
        notes = initialise(network(), name)
        assert len(notes) == 1
        assert "copies of one another" in notes[0]
    assert initialise(network(), "he_normal") == []


@pytest.mark.craft("IN02")
def test_a_spread_that_ignores_the_width_is_said_for_deep_plain_networks_only() -> None:
    deep = nn.Sequential(*(m for _ in range(8) for m in (nn.Linear(256, 256), nn.Tanh())))
    assert "by about 16, 8 layers" in initialise(deep, "normal", options={"std": 1.0})[0]
    assert "by about 0.16" in initialise(deep, "normal", options={"std": 0.01})[0]
    assert initialise(deep, "normal", options={"std": 1 / 16}) == []
    assert initialise(nn.Sequential(*deep, nn.BatchNorm1d(256)), "normal", options={"std": 1.0}) == []
    assert initialise(deep[:4], "normal", options={"std": 1.0}) == []


def test_matrices_of_other_modules_are_named() -> None:
    model = nn.Sequential(nn.Linear(8, 8), nn.MultiheadAttention(8, 2))
    notes = initialise(model, "he_normal")
    assert len(notes) == 1
    assert "leaves these as they were: 1." in notes[0]


def test_mistakes_are_sentences() -> None:
    model = network()
    with pytest.raises(UnknownNameError, match="Did you mean 'he_normal'"):
        initialise(model, "he_nrmal")
    with pytest.raises(RecipeError, match=r"no option 'st'.*Did you mean 'std'.*Allowed: mean, std"):
        initialise(model, "normal", options={"st": 1.0})
    with pytest.raises(RecipeError, match="Allowed: none"):
        initialise(model, "zeros", options={"value": 1.0})
    with pytest.raises(RecipeError, match=r"cannot take std=-1"):
        initialise(model, "normal", options={"std": -1})
    with pytest.raises(RecipeError, match="low below high"):
        initialise(model, "uniform", options={"low": 1.0, "high": 0.5})
    with pytest.raises(RecipeError, match="cannot take mode='fan'"):
        initialise(model, "he_normal", options={"mode": "fan"})
