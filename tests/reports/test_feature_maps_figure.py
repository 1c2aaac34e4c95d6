"""Feature maps: what a layer gives for a picture, drawn, with the network left as it was."""

import numpy as np
import pytest
import torch
from torch import nn

from osler.reports.feature_maps import feature_map_figure, feature_maps
from osler.structures.errors import UnknownNameError


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 6, 3),
        nn.BatchNorm2d(6),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(6, 2),
    )


@pytest.mark.craft("WF02")
def test_maps_are_the_layers_output_and_are_drawn_as_they_are() -> None:
    model, picture = network(), torch.randn(1, 3, 12, 10)
    maps = feature_maps(model, picture, "2")
    expected = model.eval()[:3](picture)[0].detach()
    torch.testing.assert_close(maps, expected)
    figure = feature_map_figure(maps, "2", limit=5)
    drawn = [a.images[0].get_array() for a in figure.axes if a.images]
    assert len(drawn) == 5
    for image, expected_map in zip(drawn, expected, strict=False):
        np.testing.assert_allclose(np.asarray(image), expected_map.numpy(), rtol=1e-6)
    assert "5 of 6 maps of 10×8" in figure.get_supxlabel()


def test_the_network_is_left_as_it_was() -> None:
    model = network().train()
    model[1].eval()  # a frozen norm must stay frozen
    before = {k: v.clone() for k, v in model.state_dict().items()}
    feature_maps(model, torch.randn(1, 3, 8, 8), "0")
    assert [m.training for m in model] == [True, False, True, True, True, True, True]
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    assert not model[0]._forward_hooks


def test_the_hook_is_gone_also_when_the_network_fails() -> None:
    model = network()
    with pytest.raises(RuntimeError):
        feature_maps(model, torch.randn(1, 5, 8, 8), "0")
    assert not model[0]._forward_hooks


def test_a_layer_that_is_not_there_is_named_with_the_nearest() -> None:
    model = nn.Sequential()
    model.add_module("stage1", nn.Conv2d(3, 4, 1))
    with pytest.raises(UnknownNameError, match="'stage1'"):
        feature_maps(model, torch.randn(1, 3, 8, 8), "stage_1")


def test_a_layer_without_maps_is_refused_with_its_shape() -> None:
    with pytest.raises(ValueError, match=r"\(1, 2\)"):
        feature_maps(network(), torch.randn(1, 3, 8, 8), "6")


def test_a_layer_that_does_not_run_is_called_so() -> None:
    model = network()
    model.add_module("spare", nn.Module())
    model.forward = lambda x: model[0](x)  # type: ignore[method-assign]
    with pytest.raises(ValueError, match="does not run"):
        feature_maps(model, torch.randn(1, 3, 8, 8), "spare")
