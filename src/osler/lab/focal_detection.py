"""What the focal loss does for a detector of one stage (Lin et al. 2017, "Focal loss for dense object detection", figure 4).

Nearly all places of a dense head see background, each of them easy; with cross-entropy their many small losses add up to
more than those of the few objects. The same detector is trained with each focus, and the loss's parts are measured.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from osler.lab.detector_fitting import ap50, fit_detector
from osler.lab.drawn_objects import CLASSES, drawn_pictures
from osler.lab.plain_training import seeded
from osler.models.detection.anchor_reading import AnchorReading, FocalTerm
from osler.models.detection.one_stage import OneStageDetector
from osler.models.registry import create_model
from osler.structures.detections import TrueObjects

FOCUSES = (0.0, 0.5, 1.0, 2.0, 5.0)  # gamma; 0 is cross-entropy
BACKBONE: dict[str, Any] = {"backbone": {"name": "resnet18", "options": {"width": 0.125}}}


@dataclass(frozen=True, slots=True)
class Focused:
    """A detector that was trained with one focus."""

    gamma: float
    ap50: float  # on pictures that it has not seen
    background_share: float  # of its class loss, in the end


def small_retinanet(gamma: float = 2.0, *, seed: int = 0) -> OneStageDetector:
    """A RetinaNet for drawn pictures, by the loss's focus alone: alpha weighs nothing."""
    with seeded(seed):
        model = create_model(
            "retinanet_light",
            num_classes=CLASSES,
            strides=(8, 16),
            channels=32,
            anchor=12,
            gamma=gamma,
            alpha=-1.0,
            **BACKBONE,
        )
    assert isinstance(model, OneStageDetector)
    return model


def focus_sweep(
    gammas: Sequence[float] = (0.0, 2.0), *, steps: int = 60, pictures: int = 16, seed: int = 0
) -> list[Focused]:
    """Average precision after the same training with each focus, on pictures with one small object each."""
    images, truths = rare_objects(pictures, seed)
    unseen = rare_objects(pictures, seed + 1)
    found = []
    for gamma in gammas:
        model = fit_detector(small_retinanet(gamma, seed=seed), images, truths, steps=steps)
        (share,) = background_shares(model, images, truths, [gamma])
        found.append(Focused(gamma, ap50(model, *unseen, CLASSES), share))
    return found


def rare_objects(pictures: int = 16, seed: int = 0) -> tuple[Tensor, list[TrueObjects]]:
    """Pictures in which background is nearly everything: one object of 12 to 24 pixels in 128 x 128."""
    return drawn_pictures(pictures, 1, side=128, sizes=(12, 24), seed=seed)


@torch.no_grad()
def background_shares(
    model: OneStageDetector,
    images: Tensor,
    truths: Sequence[TrueObjects],
    gammas: Sequence[float] = FOCUSES,
) -> list[float]:
    """Which share of a detector's class loss comes from background, if the same outputs are judged with each focus."""
    answers, reading = model.eval().answers(images), model.reading
    assert isinstance(reading, AnchorReading)
    matched = reading.matched(reading.layout(answers.grids, answers.picture, images.device), truths)
    background = (matched.matches < 0)[..., None]
    shares = []
    for gamma in gammas:
        losses = FocalTerm(-1.0, gamma).elements(answers.scores, matched)
        shares.append(float((losses * background).sum() / losses.sum()))
    return shares
