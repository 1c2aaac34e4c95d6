"""Pre-activation ResNets: published counts, and a shortcut that is an identity from end to end."""

import pytest
import torch
from torch import nn

from osler.models.registry import create_model
from osler.nn.residual import PreActBasicBlock, PreActBottleneck


@pytest.mark.parametrize(("name", "millions"), [("resnet110_preact", 1.7), ("resnet164_preact", 1.7)])
def test_cifar_networks_have_the_papers_parameters_and_layers(name: str, millions: float) -> None:
    """He et al. 2016: 1.7 million each."""
    with torch.device("meta"):
        model = create_model(name, num_classes=10)
    assert sum(p.numel() for p in model.parameters()) / 1e6 == pytest.approx(millions, abs=0.05)
    layers = [n for n, m in model.named_modules() if isinstance(m, (nn.Conv2d, nn.Linear)) and "downsample" not in n]
    assert len(layers) == int(name.removeprefix("resnet").removesuffix("_preact"))


@pytest.mark.parametrize("block", [PreActBasicBlock, PreActBottleneck])
def test_a_block_adds_to_its_input_and_nothing_follows(block: type) -> None:
    """With a last convolution of zeros the input comes through as it is, its negative values too."""
    module = block(8, 8 // block.expansion)
    last = module.conv3 if block is PreActBottleneck else module.conv2
    nn.init.zeros_(last.weight)
    x = torch.randn(2, 8, 5, 5)
    assert torch.equal(module(x), x)
    order = [name for name, _ in module.named_children()][:3]
    assert order == ["bn1", "relu1", "conv1"]


@pytest.mark.parametrize("block", [PreActBasicBlock, PreActBottleneck])
def test_a_block_that_changes_the_shape_projects_the_activation(block: type) -> None:
    module = block(4, 4, 2)
    nn.init.zeros_((module.conv3 if block is PreActBottleneck else module.conv2).weight)
    x = torch.randn(2, 4, 7, 7)
    expected = module.downsample(module.bn1(x).relu())
    torch.testing.assert_close(module(x), expected)
    assert expected.shape == (2, 4 * block.expansion, 4, 4)


def test_the_first_activation_comes_before_the_paths_part() -> None:
    """He et al. 2016, appendix; the later units keep a bare identity."""
    model = create_model("resnet18_preact", num_classes=2, width=0.125, stem="small").eval()
    first, second = model.stages[0]
    x = torch.randn(2, 8, 5, 5)
    for unit in (first, second):
        nn.init.zeros_(unit.conv2.weight)
    torch.testing.assert_close(first(x), first.bn1(x).relu())
    assert torch.equal(second(x), x)


def test_stems() -> None:
    large, small = (create_model("resnet18_preact", num_classes=2, width=0.125, stem=s) for s in ("imagenet", "small"))
    assert [m.stride for m in large.feature_maps] == [4, 8, 16, 32]
    assert [m.stride for m in small.feature_maps] == [1, 2, 4, 8]
    assert (large.input_size, small.input_size) == (224, 32)
    assert create_model("resnet164_preact", num_classes=2, width=0.5).input_size == 32
