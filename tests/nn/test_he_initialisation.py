"""He initialisation and partial identities."""

import math

import pytest
import torch
from torch import nn

from osler.nn.convolution import conv, conv_norm_act
from osler.nn.initialisation import he_initialise, partial_identity_


@pytest.mark.parametrize("groups", [1, 4])
def test_convolutions_get_the_spread_of_their_fan_out(groups: int) -> None:
    torch.manual_seed(0)
    layer = nn.Conv2d(128, 128, 3, groups=groups)
    he_initialise(layer)
    assert float(layer.weight.detach().std()) == pytest.approx(math.sqrt(2 / (128 // groups * 9)), rel=0.02)


@pytest.mark.craft("IN05")
def test_biases_start_at_zero() -> None:
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Flatten(), nn.Linear(8, 4), nn.Linear(4, 2))
    he_initialise(model)
    biases = [p for k, p in model.named_parameters() if k.endswith("bias")]
    assert len(biases) == 4
    assert not any(b.any() for b in biases)


def test_the_last_linear_layer_has_gain_one() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(400, 400), nn.ReLU(), nn.Linear(400, 400))
    he_initialise(model)
    assert float(model[0].weight.detach().std()) == pytest.approx(math.sqrt(2 / 400), rel=0.02)
    assert float(model[2].weight.detach().std()) == pytest.approx(math.sqrt(1 / 400), rel=0.02)


def test_thirty_layers_keep_the_size_of_the_gradient() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(*(m for _ in range(30) for m in (conv(32, 32), nn.ReLU())))
    he_initialise(model)
    image = torch.randn(4, 32, 8, 8, requires_grad=True)
    output = model(image)
    gradient = torch.randn_like(output)
    output.backward(gradient)
    assert image.grad is not None
    assert 0.02 < float(image.grad.norm() / gradient.norm()) < 50  # at a gain of 1 it would be 3e-5


def test_partial_identity_passes_the_input_on() -> None:
    layer = conv(3, 8)
    before = layer.weight.clone()
    partial_identity_(layer)
    x = torch.randn(2, 3, 6, 6)
    torch.testing.assert_close(layer(x)[:, :3], x)
    assert torch.equal(layer.weight[3:], before[3:])


@pytest.mark.parametrize(("kernel", "stride", "side"), [(3, 1, 8), (3, 2, 9), (7, 2, 224), (1, 2, 5)])
def test_convolutions_keep_the_size_up_to_the_stride(kernel: int, stride: int, side: int) -> None:
    out = conv_norm_act(2, 4, kernel, stride=stride)(torch.randn(2, 2, side, side))
    assert out.shape[-2:] == (math.ceil(side / stride),) * 2
    assert (out >= 0).all()
