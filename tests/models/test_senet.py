"""SE-ResNets and SENet-154: what the gates add, and the blocks' shape."""

import pytest
import torch
from torch import nn

from osler.models.registry import create_model
from osler.nn.squeeze_excitation import SqueezeExcitation


def parameters(name: str, **options: object) -> int:
    with torch.device("meta"):
        return sum(p.numel() for p in create_model(name, num_classes=1000, **options).parameters())


@pytest.mark.craft("AR19")
@pytest.mark.parametrize(("depth", "blocks"), [("50", (3, 4, 6, 3)), ("101", (3, 4, 23, 3)), ("152", (3, 8, 36, 3))])
def test_gates_add_what_the_paper_says(depth: str, blocks: tuple[int, ...]) -> None:
    """2 C^2 / r weights a block (Hu et al. 2018, equation 5, r = 16), and the biases of the two layers."""
    outs = (256, 512, 1024, 2048)
    weights = sum(n * 2 * c * c // 16 for n, c in zip(blocks, outs, strict=True))
    biases = sum(n * (c + c // 16) for n, c in zip(blocks, outs, strict=True))
    assert parameters(f"seresnet{depth}") - parameters(f"resnet{depth}") == weights + biases


@pytest.mark.craft("AR19")
def test_seresnet50_has_about_a_tenth_more_parameters() -> None:
    """Hu et al. 2018, section 4: about 2.5 million more than ResNet-50's 25 million, all of them in the gates."""
    model = create_model("seresnet50", num_classes=1000)
    gates = [m for m in model.modules() if isinstance(m, SqueezeExcitation)]
    assert len(gates) == 16
    assert sum(p.numel() for g in gates for p in g.parameters()) / 1e6 == pytest.approx(2.5, abs=0.05)


def test_senet154_is_made_as_published() -> None:
    """Hu et al. 2018, appendix: stem of three 3x3, 64 groups, halved 1x1, 3x3 projections, dropout before the head."""
    with torch.device("meta"):
        model = create_model("senet154", num_classes=1000)
    assert sum(p.numel() for p in model.parameters()) == 115_088_984
    stages = [model.layer1, model.layer2, model.layer3, model.layer4]
    assert [len(s) for s in stages] == [3, 8, 36, 3]
    for i, layer in enumerate(stages):
        block, width = layer[0], 64 * 2**i
        assert block.conv1.out_channels == 2 * width
        assert (block.conv2.groups, block.conv2.out_channels, block.conv2.stride[0]) == (
            64,
            4 * width,
            1 if i == 0 else 2,
        )
        assert block.downsample[0].kernel_size[0] == (1 if i == 0 else 3)
        assert block.se.fc1.out_channels == width // 4
    assert [c.kernel_size[0] for c in (model.conv1, model.conv2, model.conv3)] == [3, 3, 3]
    assert model.dropout.p == 0.2
    layers = [n for n, m in model.named_modules() if isinstance(m, (nn.Conv2d, nn.Linear))]
    assert sum("downsample" not in n and ".se." not in n for n in layers) == 154


@pytest.mark.parametrize("width", [0.3, 1.1, 1.5])
def test_groups_survive_any_width(width: float) -> None:
    with torch.device("meta"):
        model = create_model("senet154", num_classes=3, width=width)
    assert all(m.groups > 1 for n, m in model.named_modules() if n.endswith("conv2") and "layer" in n)


def test_the_authors_form_is_an_option() -> None:
    ours, theirs = (create_model("seresnet50", num_classes=2, width=0.125, **o) for o in ({}, {"stride_in": "1x1"}))
    assert (ours.layer2[0].conv1.stride[0], ours.layer2[0].conv2.stride[0]) == (1, 2)
    assert (theirs.layer2[0].conv1.stride[0], theirs.layer2[0].conv2.stride[0]) == (2, 1)
    caffe = create_model("seresnet50", num_classes=2, width=0.125, stem="caffe")
    assert caffe.maxpool(torch.zeros(1, 8, 112, 112)).shape[-1] == 56
    assert caffe.maxpool(torch.zeros(1, 8, 16, 16)).shape[-1] == 8
