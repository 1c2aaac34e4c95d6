"""ResNets: published counts, strides, shortcuts, and real weights on real pictures."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import nn

from osler.models.registry import create_model, feature_maps
from osler.nn.residual import BasicBlock, Bottleneck
from osler.structures.errors import RecipeError

SHARED = Path(__file__).parents[2].parent / "shared"


def layers_with_weights(model: nn.Module) -> int:
    """As the paper counts the depth: convolutions and linear layers, projections on shortcuts left out."""
    return sum(isinstance(m, (nn.Conv2d, nn.Linear)) and "downsample" not in name for name, m in model.named_modules())


DEEP = [18, 34, 50, 101, 152]
SMALL = [20, 32, 44, 56]


@pytest.mark.parametrize("name", [*(f"resnet{d}" for d in (*DEEP, *SMALL, 110)), *(f"plain{d}" for d in SMALL)])
def test_the_name_tells_the_number_of_layers(name: str) -> None:
    with torch.device("meta"):
        model = create_model(name, num_classes=10)
    assert layers_with_weights(model) == int(name.removeprefix("resnet").removeprefix("plain"))


@pytest.mark.craft("AR15")
@pytest.mark.parametrize(
    ("depth", "count"), [(18, 11_689_512), (34, 21_797_672), (50, 25_557_032), (101, 44_549_160), (152, 60_192_808)]
)
def test_imagenet_networks_have_the_published_parameters(depth: int, count: int) -> None:
    with torch.device("meta"):
        model = create_model(f"resnet{depth}", num_classes=1000)
    assert sum(p.numel() for p in model.parameters()) == count


@pytest.mark.parametrize(("depth", "millions"), [(20, 0.27), (32, 0.46), (44, 0.66), (56, 0.85), (110, 1.73)])
def test_cifar_networks_have_the_papers_parameters(depth: int, millions: float) -> None:
    """He et al. 2015, table 6 (1.7 for 110). Shortcuts have none."""
    with torch.device("meta"):
        model = create_model(f"resnet{depth}", num_classes=10)
    assert sum(p.numel() for p in model.parameters()) / 1e6 == pytest.approx(millions, abs=0.005)
    assert not [k for k, _ in model.named_parameters() if "downsample" in k]


def test_maps_have_the_papers_sizes() -> None:
    """He et al. 2015, table 1, column output size."""
    assert [m.stride for m in feature_maps(create_model("resnet50", num_classes=2))] == [4, 8, 16, 32]
    assert [m.channels for m in feature_maps(create_model("resnet50", num_classes=2))] == [256, 512, 1024, 2048]
    assert [m.channels for m in feature_maps(create_model("resnet18", num_classes=2))] == [64, 128, 256, 512]
    assert [m.stride for m in feature_maps(create_model("resnet18", num_classes=2, stem="small"))] == [1, 2, 4, 8]


def test_bottlenecks_have_their_stride_in_the_middle() -> None:
    first = create_model("resnet50", num_classes=2).layer2[0]
    assert (first.conv1.stride, first.conv2.stride, first.conv3.stride) == ((1, 1), (2, 2), (1, 1))


def test_the_stride_can_sit_where_the_paper_printed_it() -> None:
    first = create_model("resnet50", num_classes=2, width=0.125, stride_in="1x1").layer2[0]
    assert (first.conv1.stride, first.conv2.stride, first.downsample[0].stride) == ((2, 2), (1, 1), (2, 2))


@pytest.mark.craft("AR15")
def test_plain_networks_are_the_residual_ones_without_shortcuts() -> None:
    """The same weights under the same names; one adds the input to each pair of convolutions, the other does not."""
    plain, residual = (create_model(n, num_classes=3).eval() for n in ("plain20", "resnet20"))
    residual.load_state_dict(plain.state_dict())
    x = torch.randn(2, 16, 8, 8).relu()
    block = residual.layer1[0]
    branch = block.bn2(block.conv2(block.bn1(block.conv1(x)).relu()))
    torch.testing.assert_close(plain.layer1[0](x), branch.relu())
    torch.testing.assert_close(block(x), (branch + x).relu())


def test_shortcuts_of_the_small_networks_are_a_choice() -> None:
    """He et al. 2015, section 4.1: option B has a projection wherever the shape changes."""
    model = create_model("resnet20", num_classes=3, shortcut="projection")
    assert sum("downsample.0" in name for name, _ in model.named_parameters()) == 2
    with pytest.raises(RecipeError, match="zero_init"):
        create_model("plain20", num_classes=3, zero_init=True)


def test_a_caffe_stem_rounds_up() -> None:
    """Without padding: the last window hangs over the border, so the first one starts at the first position."""
    x = torch.arange(8.0).expand(1, 1, 8, 8)
    caffe, ours = (create_model("resnet18", num_classes=2, stem=s).maxpool(x)[0, 0, 0] for s in ("caffe", "imagenet"))
    assert caffe.tolist() == [2, 4, 6, 7]
    assert ours.tolist() == [1, 3, 5, 7]


@pytest.mark.parametrize("name", ["resnet18", "resnet20"])
def test_zero_init_makes_blocks_start_as_their_shortcuts(name: str) -> None:
    plain, zero = create_model(name, num_classes=2), create_model(name, num_classes=2, zero_init=True)
    block = zero.layer1[1].eval()
    x = torch.rand(1, block.conv1.in_channels, 8, 8)
    assert torch.equal(block(x), x)
    assert not torch.equal(plain.layer1[1].eval()(x), x)
    blocks = [m for m in zero.modules() if isinstance(m, (BasicBlock, Bottleneck))]
    assert all(not b.last_norm.weight.any() for b in blocks)


def test_public_key_names_are_kept() -> None:
    keys = set(create_model("resnet50", num_classes=2).state_dict())
    assert {"conv1.weight", "bn1.running_mean", "layer1.0.downsample.0.weight", "layer4.2.bn3.bias", "fc.bias"} <= keys


def test_real_weights_keep_their_accuracy() -> None:
    """ResNet-20 weights of others (see ../shared/data/weights): 91.5 % of CIFAR-10's first 1,000 test pictures."""
    weights, sheet = SHARED / "data/weights/resnet20_cifar10.th", SHARED / "data/cifar10/cifar10_batch_50.webp"
    if not (weights.exists() and sheet.exists()):
        pytest.skip(f"{weights} or {sheet} is not there")
    stored = torch.load(weights, map_location="cpu", weights_only=True)["state_dict"]
    model = create_model("resnet20", num_classes=10).eval()
    renamed = {k.removeprefix("module.").replace("linear.", "fc."): v for k, v in stored.items()}
    missing = model.load_state_dict(renamed, strict=False)
    assert not missing.unexpected_keys
    assert all(k.endswith("num_batches_tracked") for k in missing.missing_keys)

    tiles = cv2.imread(str(sheet), cv2.IMREAD_COLOR)[:, :, ::-1].reshape(32, 32, 32, 32, 3).transpose(0, 2, 4, 1, 3)
    images = torch.from_numpy(np.ascontiguousarray(tiles).reshape(1024, 3, 32, 32)[:1000]).float() / 255
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    images = (images - mean.view(3, 1, 1)) / std.view(3, 1, 1)
    labels = torch.tensor(json.loads((SHARED / "data/cifar10/labels.json").read_text())["test"][:1000])
    with torch.no_grad():
        right = torch.cat([model(some).argmax(1) for some in images.split(250)]) == labels
    assert right.float().mean() == pytest.approx(0.915, abs=0.0015)
