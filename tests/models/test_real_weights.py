"""Weights that others trained, through our reading, our decoding and our networks, on real pictures."""

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from osler.imaging.decode import read_image
from osler.imaging.fit import FitTo
from osler.models.registry import create_model
from osler.structures.preprocessing import Preprocessing
from osler.structures.sample import Sample
from osler.structures.tensor_file import read_tensors

IMAGENET = Preprocessing(
    (224, 224), 3, "crop", crop_fraction=0.875, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)
)


def accuracy(model: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> float:
    with torch.inference_mode():
        answers = torch.cat([model.eval()(part).argmax(1) for part in images.split(25)])
    return float((answers == labels).float().mean())


def imagenet_sample(folder: Path, every: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Pictures as bytes, prepared as the weights want them, and the classes' indices."""
    fit, rng = FitTo(IMAGENET), np.random.default_rng(0)
    with (folder / "labels.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))[1::every]
    pictures = [fit(Sample(read_image(folder / name), None), rng).image for name, *_ in rows]
    labels = torch.tensor([int(row[2]) for row in rows])
    return IMAGENET.standardise(torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2)), labels


@pytest.mark.parametrize("every", [5, pytest.param(1, marks=pytest.mark.slow)])
def test_mobilenet_v2_knows_eighty_percent_of_real_photographs(shared: Path, every: int) -> None:
    path = shared / "data" / "weights" / "mobilenet_v2_imagenet_fp16.safetensors"
    model = create_model("mobilenet_v2", num_classes=1000, weights=f"torchvision:{path}")
    assert accuracy(model, *imagenet_sample(shared / "data" / "imagenet-sample", every)) >= 0.8


def test_a_head_for_another_number_of_classes_sees_the_same_features(shared: Path) -> None:
    path = shared / "data" / "weights" / "mobilenet_v2_imagenet_fp16.safetensors"
    whole = create_model("mobilenet_v2", num_classes=1000, weights=f"torchvision:{path}").eval()
    ours = create_model("mobilenet_v2", num_classes=3, weights=f"torchvision:{path}").eval()
    image = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(whole.last(whole.stages(whole.stem(image))), ours.last(ours.stages(ours.stem(image))))
        assert ours(image).shape == (1, 3)


def test_lenet_5_of_another_author_reads_digits(shared: Path) -> None:
    """Trained on MNIST; here on scikit-learn's digits of 8x8, enlarged into a field of 32: another hand, another pen."""
    from sklearn.datasets import load_digits

    theirs = read_tensors(shared / "data" / "weights" / "lenet5_mnist.pth")
    names = {"convnet.c1": "c1", "convnet.c3": "c3", "convnet.c5": "c5", "fc.f6": "f6", "fc.f7": "output"}
    state = {f"{names[k.rpartition('.')[0]]}.{k.rpartition('.')[2]}": v for k, v in theirs.items()}
    model = create_model("lenet5", num_classes=10, in_channels=1)
    model.load_state_dict(state)
    pixels, labels = load_digits(return_X_y=True)
    small = torch.tensor(pixels, dtype=torch.float32).reshape(-1, 1, 8, 8) / 16
    large = nn.functional.interpolate(small, size=(20, 20), mode="bilinear")
    field = nn.functional.pad(large, [6, 6, 6, 6])
    assert accuracy(model, field, torch.tensor(labels)) > 0.8
