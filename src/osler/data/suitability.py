"""Is deep learning the right tool? Three conditions, each answered by the person, the data, or both.

Many samples; samples that cover what the network will meet; and little need to explain a single decision. Starting from
trained weights softens the first, and explanations after the fact soften the third; neither lifts it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from osler.data.locality import Locality, locality
from osler.data.shift import Shift, measure_shift
from osler.data.source import DataSet, DataSource
from osler.imaging.header import UnreadableError

PLENTY = 5_000  # pictures a class: "acceptable performance", Goodfellow, Bengio and Courville 2016, section 1.2.2
ENOUGH_PRETRAINED = (
    50  # pictures a class below which even a pretrained network has little to go by; our own rule of thumb
)

Answer = Literal["yes", "with care", "no", "unknown"]
Condition = Literal["samples", "coverage", "interpretability", "locality"]


@dataclass(frozen=True, slots=True)
class Questionnaire:
    """What only the person knows."""

    explain: Literal["none", "some", "strict"] = "none"
    """Must single decisions be explained? some: a heat map or similar pictures will do; strict: the reasoning itself is
    asked for.
    """
    pretrained: bool = True
    """May the network start from weights trained on other pictures?"""
    deployment: DataSet | None = None
    """Pictures as they will come in use (their labels are not looked at)."""


@dataclass(frozen=True, slots=True)
class Reason:
    """The answer to one condition, and why."""

    condition: Condition
    answer: Answer
    why: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether deep learning suits, and the reasons. One "no" decides; what is unknown or with care makes it "with
    care".
    """

    answer: Answer
    reasons: Sequence[Reason]

    def reason(self, condition: Condition) -> Reason:
        """The reason given for a condition."""
        return next(r for r in self.reasons if r.condition == condition)


def judge_suitability(source: DataSource, questionnaire: Questionnaire, *, seed: int = 0) -> Verdict:
    """The three conditions, and whether neighbouring pixels are alike, which convolutions live by."""
    shift = None
    if questionnaire.deployment is not None:
        shift = measure_shift(source.train, questionnaire.deployment, seed=seed)
    reasons = (
        judge_samples(source, pretrained=questionnaire.pretrained),
        judge_coverage(shift),
        judge_interpretability(questionnaire.explain),
        judge_locality(locality(sample_pictures(source.train), seed=seed)),
    )
    answers = {reason.answer for reason in reasons}
    answer: Answer = "no" if "no" in answers else "yes" if answers == {"yes"} else "with care"
    return Verdict(answer, reasons)


def judge_samples(source: DataSource, *, pretrained: bool) -> Reason:
    """Whether the rarest class (or label; for numbers: all pictures together) has pictures enough."""
    targets = source.train.targets
    if source.kind == "numbers":
        count, what = len(targets), "training pictures"
    else:
        counts = (
            np.bincount(targets, minlength=len(source.names))
            if source.kind == "class"
            else targets.sum(0, dtype=np.int64)
        )
        rarest = int(counts.argmin())
        count, what = int(counts[rarest]), f"training pictures of {source.names[rarest]}, the rarest"
    said = f"{count:,} {what}"
    if count >= PLENTY:
        return Reason("samples", "yes", f"{said}: as many as the field asks for.")
    if count >= ENOUGH_PRETRAINED and pretrained:
        return Reason(
            "samples",
            "with care",
            f"{said}: few for a network from nothing ({PLENTY:,}); start from trained weights and augment.",
        )
    if count >= ENOUGH_PRETRAINED:
        return Reason(
            "samples",
            "with care",
            f"{said}: below {PLENTY:,} without trained weights, compare with a classic method first.",
        )
    return Reason(
        "samples",
        "no",
        f"{said}: fewer than {ENOUGH_PRETRAINED}; collect more, or use features of a trained network with a "
        "classic classifier.",
    )


def judge_coverage(shift: Shift | None) -> Reason:
    """Whether training pictures look like those in use."""
    if shift is None:
        return Reason("coverage", "unknown", "No pictures from the place of use were given: collect some and compare.")
    measured = (
        f"told apart from deployment pictures with an area under the curve of {shift.area:.2f} (0.50: not at all)"
    )
    if shift.notable:
        return Reason("coverage", "no", f"{measured}: training does not cover what will come. Add pictures from there.")
    return Reason("coverage", "yes", f"{measured}: no shift beyond chance was seen.")


def judge_interpretability(explain: Literal["none", "some", "strict"]) -> Reason:
    """Whether the decisions may go unexplained."""
    if explain == "strict":
        return Reason(
            "interpretability",
            "no",
            "The reasoning of each decision is asked for: a network gives none; choose a model that can be read.",
        )
    if explain == "some":
        return Reason(
            "interpretability",
            "with care",
            "Heat maps and similar cases show where a network looks, not why it decides.",
        )
    return Reason("interpretability", "yes", "No single decision need be explained.")


def judge_locality(found: Locality) -> Reason:
    """Whether neighbouring pixels are alike."""
    measured = f"neighbouring pixels correlate by {found.index:.2f}, shuffled ones by {max(found.shuffled):.2f} at most"
    if found.local:
        return Reason("locality", "yes", f"{measured}: small kernels fit.")
    return Reason(
        "locality",
        "with care",
        f"{measured}: convolutions have little to hold on to; try a method that ignores places.",
    )


def sample_pictures(dataset: DataSet, *, count: int = 200, side: int = 64) -> np.ndarray:
    """The middle of up to `count` evenly spaced pictures, at most `side` pixels a side, as [n h w c] uint8."""
    images = []
    for row in np.unique(np.linspace(0, len(dataset) - 1, min(count, len(dataset))).astype(int)).tolist():
        try:
            images.append(dataset[row].image)
        except UnreadableError:
            continue
    height, width = (min(side, min(image.shape[axis] for image in images)) for axis in (0, 1))
    return np.stack([_middle(image, height, width) for image in images])


def _middle(image: np.ndarray, height: int, width: int) -> np.ndarray:
    top, left = (image.shape[0] - height) // 2, (image.shape[1] - width) // 2
    return image[top : top + height, left : left + width]
