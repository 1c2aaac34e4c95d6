"""DenseNets: published counts, depths and sizes, and the forms that the paper compares."""

import pytest
import torch
from torch import nn

from osler.models.densenet import DenseNet, DensePlan
from osler.models.public_names import find_public
from osler.models.registry import create_model, feature_maps
from osler.nn.dense_block import DenseBlock, Transition
from osler.structures.errors import RecipeError


def size(name: str, **options: object) -> int:
    with torch.device("meta"):
        return sum(p.numel() for p in create_model(name, **options).parameters())


@pytest.mark.craft("AR17")
def test_parameters_are_the_published_and_far_fewer_than_a_residual_networks() -> None:
    """Huang et al. 2017, section 4.4: DenseNet-201 (20 M) errs as ResNet-101 (more than 40 M) does."""
    assert size("densenet121") == 7_978_856
    assert size("densenet201") < size("resnet101") / 2


@pytest.mark.parametrize(
    ("growth", "layers", "form", "millions"),
    [
        (12, 40, "plain", 1.0),
        (12, 100, "plain", 7.0),
        (24, 100, "plain", 27.2),
        (12, 100, "BC", 0.8),
        (24, 250, "BC", 15.3),
        (40, 190, "BC", 25.6),
    ],
)
def test_cifar_networks_have_the_papers_parameters(growth: int, layers: int, form: str, millions: float) -> None:
    """Table 2. Three blocks; the first convolution, two transitions and the linear layer make four layers more."""
    depth = (layers - 4) // (6 if form == "BC" else 3)
    with torch.device("meta"):
        model = DenseNet(DensePlan(growth, (depth,) * 3, "small"), num_classes=10, form=form)
    assert sum(isinstance(m, (nn.Conv2d, nn.Linear)) for m in model.modules()) == layers
    assert sum(p.numel() for p in model.parameters()) / 1e6 == pytest.approx(millions, abs=0.06)


@pytest.mark.parametrize("layers", [121, 161, 169, 201])
def test_the_name_tells_the_number_of_layers(layers: int) -> None:
    with torch.device("meta"):
        model = create_model(f"densenet{layers}", num_classes=2)
    assert sum(isinstance(m, (nn.Conv2d, nn.Linear)) for m in model.modules()) == layers


@pytest.mark.craft("AR17", "AR18")
def test_channels_grow_through_blocks_and_halve_between_them() -> None:
    with torch.device("meta"):
        model = create_model("densenet121", num_classes=2)
    channels = 64
    for block, depth in zip([m for m in model.modules() if isinstance(m, DenseBlock)], (6, 12, 24, 16), strict=True):
        for layer in block.children():
            assert layer.norm1.num_features == channels
            assert layer.conv2.out_channels == 32
            channels += 32
        assert len(list(block.children())) == depth
        channels //= 2
    halved = [(m.conv.in_channels, m.conv.out_channels) for m in model.modules() if isinstance(m, Transition)]
    assert halved == [(256, 128), (512, 256), (1024, 512)]
    assert [(m.channels, m.stride) for m in feature_maps(model)] == [(256, 4), (512, 8), (1024, 16), (1024, 32)]


def test_the_forms_differ_by_what_their_letters_say() -> None:
    def kernels(form: str) -> list[int]:
        model = create_model("densenet_bc100", num_classes=2, form=form)
        return [m.kernel_size[0] for m in model.features.denseblock1.modules() if isinstance(m, nn.Conv2d)]

    def halving(form: str) -> bool:
        transition = create_model("densenet_bc100", num_classes=2, form=form).features.transition1
        return transition.conv.out_channels == transition.conv.in_channels // 2

    assert kernels("B") == kernels("BC") == [1, 3] * 16
    assert kernels("plain") == kernels("C") == [3] * 16
    assert halving("C")
    assert halving("BC")
    assert not halving("B")
    assert not halving("plain")


def test_growth_is_an_option() -> None:
    model = create_model("densenet_bc100", num_classes=2, growth=20)
    assert model.features.denseblock3.denselayer16.conv2.out_channels == 20
    assert model.features.conv0.out_channels == 40
    with pytest.raises(RecipeError, match="growth=0"):
        create_model("densenet_bc100", num_classes=2, growth=0)


def test_dropout_reaches_blocks_and_transitions() -> None:
    model = create_model("densenet_bc100", num_classes=2, dropout=0.2)
    convolutions = sum(isinstance(m, nn.Conv2d) for m in model.modules())
    assert sum(isinstance(m, nn.Dropout) and m.p == 0.2 for m in model.modules()) == convolutions - 1
    assert not any(isinstance(m, nn.Dropout) for m in create_model("densenet_bc100", num_classes=2).modules())


def test_files_under_the_older_names_fit() -> None:
    ours = set(create_model("densenet121", width=0.125).state_dict())
    public = find_public("torchvision", "densenet121")
    for part in ("norm.1.running_mean", "conv.1.weight", "norm.2.bias", "conv.2.weight"):
        assert public.key(f"features.denseblock2.denselayer12.{part}") in ours
    assert all(public.key(key) == key for key in ours)
