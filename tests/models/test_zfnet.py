"""ZFNet: what it changed in AlexNet, and the sizes that its figure 3 prints."""

import pytest
import torch
from torch import nn

from osler.models.plan_network import PlanNetwork
from osler.models.registry import create_model
from osler.nn.local_response_norm import LocalResponseNorm


def on_meta(name: str, **options: object) -> PlanNetwork:
    with torch.device("meta"):
        model = create_model(name, **options)
    assert isinstance(model, PlanNetwork)
    return model


@pytest.mark.craft("AR03")
def test_the_first_kernel_and_stride_are_smaller_than_alexnets() -> None:
    zfnet, alexnet = on_meta("zfnet"), on_meta("alexnet")
    first, before = zfnet.features[0], alexnet.features[0]
    assert isinstance(first, nn.Conv2d)
    assert isinstance(before, nn.Conv2d)
    assert (before.kernel_size, before.stride) == ((11, 11), (4, 4))
    assert (first.kernel_size, first.stride) == ((7, 7), (2, 2))
    assert {m.groups for m in zfnet.modules() if isinstance(m, nn.Conv2d)} == {1}, "one GPU"


@pytest.mark.craft("AR03")
def test_maps_have_the_printed_sizes() -> None:
    """Zeiler and Fergus 2014, figure 3."""
    model = on_meta("zfnet")
    x = torch.zeros(1, 3, 224, 224, device="meta")
    seen = []
    for layer in model.features:
        x = layer(x)
        if isinstance(layer, (nn.Conv2d, nn.MaxPool2d)):
            seen.append((x.shape[1], x.shape[2]))
    assert seen == [(96, 110), (96, 55), (256, 26), (256, 13), (384, 13), (384, 13), (256, 13), (256, 6)]
    assert sum(p.numel() for p in model.parameters()) == 62_357_608
    kinds = [type(layer) for layer in model.features[:4]]
    assert kinds == [nn.Conv2d, nn.ReLU, nn.MaxPool2d, LocalResponseNorm], "contrast is normalised after the pooling"


@pytest.mark.craft("AR03")
def test_it_runs_at_full_size() -> None:
    torch.manual_seed(0)
    model = create_model("zfnet", num_classes=6, width=0.25).eval()
    with torch.no_grad():
        assert model(torch.randn(1, 3, 224, 224)).shape == (1, 6)


def test_small_pictures_keep_their_resolution() -> None:
    model = on_meta("zfnet", stem="small", num_classes=10)
    assert model.input_size == 32
    assert [m.stride for m in model.feature_maps] == [1, 2, 4, 8]
    assert model.features(torch.zeros(1, 3, 32, 32, device="meta")).shape == (1, 256, 3, 3)
