"""Fully connected networks."""

import pytest
import torch
from torch import nn

from osler.models.registry import create_model
from osler.structures.errors import RecipeError


def parameters(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


def test_the_default_has_the_parameters_of_784_300_100_10() -> None:
    model = create_model("mlp", num_classes=10, in_channels=1)
    assert parameters(model) == 785 * 300 + 301 * 100 + 101 * 10 == 266_610
    assert [m.out_features for m in model.modules() if isinstance(m, nn.Linear)] == [300, 100, 10]


def test_a_picture_of_its_side_is_seen_as_it_is_and_others_as_means() -> None:
    model = create_model("mlp", num_classes=4, in_channels=2, widths=(6,), side=5)
    x = torch.randn(3, 2, 5, 5)
    by_hand = model.head(torch.relu(model.hidden[0](x.flatten(1))))
    torch.testing.assert_close(model(x), by_hand)
    twice = x.repeat_interleave(2, 2).repeat_interleave(2, 3)
    torch.testing.assert_close(model(twice), by_hand)
    assert model(torch.randn(3, 2, 3, 11)).shape == (3, 4)


def test_activation_and_dropout_are_after_each_hidden_layer() -> None:
    model = create_model("mlp", num_classes=4, in_channels=1, widths=(16, 8), activation="tanh", dropout=0.5, side=4)
    assert [type(m) for m in model.acts] == [nn.Tanh, nn.Tanh]
    x = torch.randn(2, 1, 4, 4)
    assert not torch.equal(model.train()(x), model(x))
    assert torch.equal(model.eval()(x), model(x))
    inputs: list[torch.Tensor] = []
    model.head.register_forward_pre_hook(lambda _m, given: inputs.append(given[0]))
    model.train()(torch.randn(200, 1, 4, 4))
    assert float((inputs[0] == 0).float().mean()) == pytest.approx(0.5, abs=0.06)


def test_impossible_options_are_refused() -> None:
    for options in ({"widths": ()}, {"widths": (0,)}, {"activation": "swish"}, {"dropout": 1.0}, {"side": 0}):
        with pytest.raises(RecipeError):
            create_model("mlp", num_classes=2, **options)
