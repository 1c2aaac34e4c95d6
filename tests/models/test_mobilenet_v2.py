"""MobileNetV2: published counts by width, its blocks, and real weights on real pictures."""

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from osler.imaging.decode import EncodedPicture
from osler.imaging.fit import FitTo
from osler.imaging.opening import open_sample, undecoded
from osler.models.cost import multiply_adds
from osler.models.registry import create_model, feature_maps
from osler.nn.inverted_residual import InvertedResidual
from osler.structures.preprocessing import Preprocessing

SHARED = Path(__file__).parents[2].parent / "shared"
IMAGENET = Preprocessing(crop_fraction=224 / 256, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))


def made(width: float = 1.0, **options: object) -> nn.Module:
    with torch.device("meta"):
        return create_model("mobilenet_v2", width=width, **options)


def parameters(model: nn.Module, *, norms: bool = True) -> int:
    of_norms = {id(p) for m in model.modules() if isinstance(m, nn.BatchNorm2d) for p in m.parameters()}
    return sum(p.numel() for p in model.parameters() if norms or id(p) not in of_norms)


@pytest.mark.craft("LW03")
def test_it_has_the_published_parameters() -> None:
    assert parameters(made()) == 3_504_872


@pytest.mark.craft("LW18")
@pytest.mark.parametrize(
    ("width", "millions", "mult_adds"),
    [(1.4, 6.06, 582), (1.3, 5.34, 509), (1.0, 3.47, 300), (0.75, 2.61, 209), (0.5, 1.95, 97), (0.35, 1.66, 59)],
)
def test_each_width_has_the_counts_that_its_authors_list(width: float, millions: float, mult_adds: int) -> None:
    """The table beside their weights (tensorflow/models, slim/nets/mobilenet/README.md), without those of norms."""
    model = made(width)
    assert parameters(model, norms=False) / 1e6 == pytest.approx(millions, abs=0.006)
    assert multiply_adds(model, 3, (224, 224)) / 1e6 == pytest.approx(mult_adds, abs=0.8)


@pytest.mark.parametrize(("width", "channels"), [(0.125, 1280), (0.35, 1280), (1.0, 1280), (1.4, 1792)])
def test_the_last_layer_is_never_narrower_than_at_width_1(width: float, channels: int) -> None:
    """Sandler et al. 2018, section 6.1."""
    assert made(width).head.in_features == channels


@pytest.mark.craft("LW03")
def test_its_blocks_are_those_of_table_2() -> None:
    """Expansion by 6 but in the first block; inputs are added in 10 of 17, and no narrow end has an activation."""
    blocks = [m for m in made().modules() if isinstance(m, InvertedResidual)]
    assert len(blocks) == 17
    assert [b.layers.project.conv.out_channels for b in blocks] == [
        *[16], *[24] * 2, *[32] * 3, *[64] * 4, *[96] * 3, *[160] * 3, 320
    ]  # fmt: skip
    times = [b.layers.expand.conv.out_channels / b.layers.expand.conv.in_channels for b in blocks[1:]]
    assert times == [6] * 16
    assert "expand" not in dict(blocks[0].layers.named_children())
    assert sum(b.residual for b in blocks) == 10
    assert all(isinstance(b.layers.project.act, nn.Identity) for b in blocks)
    assert {type(b.layers.depthwise.act) for b in blocks} == {nn.ReLU6}


def test_strides_of_the_maps() -> None:
    assert [m.stride for m in feature_maps(made())] == [2, 4, 8, 16, 16, 32, 32]
    assert [m.stride for m in feature_maps(made(stem="small"))] == [1, 1, 2, 4, 4, 8, 8]


def test_real_weights_keep_their_accuracy() -> None:
    """Others' weights on 250 pictures of ImageNet, through our decoding and resizing: 80 % or better."""
    weights = SHARED / "data" / "weights" / "mobilenet_v2_imagenet_fp16.safetensors"
    folder = SHARED / "data" / "imagenet-sample"
    if not (weights.is_file() and (folder / "labels.csv").is_file()):
        pytest.skip(f"{weights} or {folder} is not there")
    model = create_model("mobilenet_v2", weights=f"torchvision:{weights}").eval()
    with (folder / "labels.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    right = 0
    for i in range(0, len(rows), 25):
        pictures = torch.stack([network_input(folder / row["file"]) for row in rows[i : i + 25]])
        labels = torch.tensor([int(row["class_index"]) for row in rows[i : i + 25]])
        with torch.inference_mode():
            right += int((model(IMAGENET.standardise(pictures)).argmax(1) == labels).sum())
    assert len(rows) == 250
    assert right / len(rows) >= 0.80


def network_input(path: Path) -> torch.Tensor:
    """A picture as evaluation reads it: short side 256, the middle 224."""
    picture = EncodedPicture.open(path)
    sample = open_sample(picture, undecoded(picture), [FitTo(IMAGENET)], np.random.default_rng(0))
    return torch.from_numpy(sample.image).permute(2, 0, 1)
