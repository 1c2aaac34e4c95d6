"""Squeeze and excitation: gates, parameters, and the published form."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from osler.nn.residual import BasicBlock, Bottleneck
from osler.nn.squeeze_excitation import SqueezeExcitation


@pytest.mark.craft("AR19", "LW12")
@settings(max_examples=20, deadline=None)
@given(channels=st.integers(1, 40), reduction=st.sampled_from([1, 2, 4, 16]), seed=st.integers(0, 99))
def test_each_channel_of_each_picture_has_one_gate_between_0_and_1(channels: int, reduction: int, seed: int) -> None:
    torch.manual_seed(seed)
    module = SqueezeExcitation(channels, max(1, channels // reduction))
    x = torch.randn(3, channels, 4, 5)
    gates = module.gates(x)
    assert gates.shape == (3, channels, 1, 1)
    assert ((gates > 0) & (gates < 1)).all()
    torch.testing.assert_close(module(x), x * gates)


@pytest.mark.craft("AR19")
def test_the_gate_is_that_of_the_paper() -> None:
    """Hu et al. 2018, equations 2 to 4: s = sigmoid(W2 relu(W1 z)), z the mean over positions."""
    module, x = SqueezeExcitation(6, 2), torch.randn(2, 6, 3, 3)
    w1, w2 = module.fc1.weight[:, :, 0, 0], module.fc2.weight[:, :, 0, 0]
    z = x.mean((2, 3))
    s = torch.sigmoid(torch.relu(z @ w1.T + module.fc1.bias) @ w2.T + module.fc2.bias)
    torch.testing.assert_close(module(x), x * s[:, :, None, None])


@pytest.mark.craft("AR19", "LW12")
@pytest.mark.parametrize(("channels", "reduction"), [(256, 16), (2048, 16), (96, 4)])
def test_it_adds_two_small_layers(channels: int, reduction: int) -> None:
    hidden = channels // reduction
    module = SqueezeExcitation(channels, hidden)
    assert module.fc1.weight.numel() + module.fc2.weight.numel() == 2 * channels**2 // reduction
    added = sum(p.numel() for p in module.parameters())
    assert added <= 2 * channels**2 / reduction + channels * (1 + 1 / reduction)


def test_other_activations_and_gates_can_stand_in() -> None:
    """MobileNetV3's gate: piecewise linear, exactly 0 and 1 at its ends."""
    module = SqueezeExcitation(4, 2, gate=nn.Hardsigmoid, act=nn.Hardswish)
    nn.init.zeros_(module.fc2.weight)
    with torch.no_grad():
        module.fc2.bias.copy_(torch.tensor([-4.0, 0.0, 1.5, 4.0]))
    gates = module.gates(torch.randn(1, 4, 2, 2)).flatten()
    torch.testing.assert_close(gates, torch.tensor([0.0, 0.5, 0.75, 1.0]))
    assert [name for name, _ in module.named_children()] == ["squeeze", "fc1", "act", "fc2", "gate"]
    assert isinstance(module.act, nn.Hardswish)


@pytest.mark.craft("AR19")
@pytest.mark.parametrize("block", [BasicBlock, Bottleneck])
def test_in_a_residual_block_the_gate_is_on_the_branch_only(block: type) -> None:
    """A closed gate leaves the shortcut (Hu et al. 2018, figure 3)."""
    module = block(8, 8 // block.expansion, attention=lambda channels: SqueezeExcitation(channels, 2)).eval()
    x = torch.rand(2, 8, 4, 4)
    assert not torch.allclose(module(x), x)
    nn.init.constant_(module.se.fc2.bias, -200.0)
    torch.testing.assert_close(module(x), x)
