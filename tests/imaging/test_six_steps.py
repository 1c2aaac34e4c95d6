"""One pipeline applies the six kinds of preprocessing: decode, boxes, augment, resize, standardise, PCA."""

from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.datasets import load_sample_image

from osler.imaging.augment import build_augmentation
from osler.imaging.decode import read_image
from osler.imaging.encode import write_image
from osler.imaging.fit import FitTo
from osler.imaging.options import make_transform
from osler.imaging.pca import PixelPCA
from osler.imaging.recipe import AugmentSection
from osler.ops.boxes import box_convert, valid_boxes
from osler.structures.preprocessing import Preprocessing
from osler.structures.sample import Objects, Sample


@pytest.mark.craft("DA21")
def test_the_six_steps_and_their_shapes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    preprocessing = Preprocessing(size=(24, 32), fit="stretch", mean=(0.4, 0.5, 0.6), std=(0.2, 0.25, 0.3))
    augmentation = build_augmentation(
        AugmentSection(preset="color", transforms=({"horizontal_flip": {}},)),
        preprocessing=preprocessing,
        typical_size=(427, 640),
        kind="class",
        num_classes=2,
    )
    write_image(tmp_path / "flower.jpg", load_sample_image("flower.jpg"))
    rng = np.random.default_rng(0)

    decoded = read_image(tmp_path / "flower.jpg")
    print("decode", decoded.shape, decoded.dtype)
    annotated = torch.tensor(
        [[320.0, 200.0, 100.0, 60.0], [10.0, 10.0, 0.0, 5.0]]
    )  # middle and size; the second is empty
    boxes = box_convert(annotated, "cxcywh", "xyxy")
    boxes = boxes[valid_boxes(boxes, (427, 640))].numpy()
    print("boxes", boxes.shape)
    sample = Sample(decoded, objects=Objects(boxes, np.array([1])))
    turned = make_transform("rotate", {"degrees": 10}, size=(24, 32))(sample, rng)
    print("augment", turned.image.shape, turned.objects.boxes.shape)
    fitted = FitTo(preprocessing)(turned)
    print("resize", fitted.image.shape, fitted.objects.boxes.shape)
    train = []
    for _ in range(12):
        varied = fitted
        for transform in augmentation.sample:
            varied = transform(varied, rng)
        train.append(varied.image)
    stack = np.stack(train)
    floats = preprocessing.standardise(torch.from_numpy(stack).permute(0, 3, 1, 2))
    print("standardise", tuple(floats.shape), floats.dtype)
    codes = PixelPCA(0.9).fit(stack).transform(stack)
    print("pca", codes.shape[0], codes.dtype)

    assert capsys.readouterr().out.splitlines() == [
        "decode (427, 640, 3) uint8",
        "boxes (1, 4)",
        "augment (427, 640, 3) (1, 4)",
        "resize (24, 32, 3) (1, 4)",
        "standardise (12, 3, 24, 32) torch.float32",
        "pca 12 float32",
    ]
    assert np.allclose(floats[:, 0], (stack[..., 0] / 255 - 0.4) / 0.2, atol=1e-5)
    x1, y1, x2, y2 = fitted.objects.boxes[0]
    assert 11 < x1 < 14 < 18 < x2 < 21
    assert 7 < y1 < 10 < 13 < y2 < 16
    assert codes.shape[1] < 12
