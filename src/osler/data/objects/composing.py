"""Pictures composed by seed: digits laid on a part of a photograph, each with its box and mask.

First a plan is drawn (which photograph and window, which digits, where, how large, how turned), which costs little and
says what is in the picture; then, when it is asked for, the picture is drawn by the plan.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from osler.data.objects.handwritten import Digit
from osler.data.objects.photographs import Photograph
from osler.imaging.geometry import mask_boxes
from osler.structures.sample import Objects

SIZES = (20.0, 100.0)  # pixels: a digit's height before it is turned, drawn log-evenly
MOST = 8  # digits in a picture
EMPTY = 0.04  # share of pictures without any
TURN = 25.0  # degrees either way: a 6 never becomes a 9
STRETCH = 1.25  # width to height against the digit's own, either way
OVERLAP = 0.15  # of the smaller of two boxes
TRIES = 20  # places tried for a digit before the next one is
CONTRAST = (55.0, 150.0)  # levels of grey between a digit and what is behind it
GREY = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601

Box = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Placed:
    """A digit in a plan: which, in which box (before its ink is looked at), and how turned and coloured."""

    digit: int
    box: Box
    height: float
    width: float
    degrees: float
    contrast: float
    tint: tuple[float, float, float]  # of the colour, -1 to 1 for each channel


@dataclass(frozen=True, slots=True)
class Plan:
    """What a picture will show."""

    photograph: int
    window: Box
    mirrored: bool
    light: tuple[float, float]  # factor and shift of levels
    digits: tuple[Placed, ...]


def draw_plan(
    side: int, photographs: Sequence[Photograph], digits: Sequence[Digit], random: np.random.Generator
) -> Plan:
    """A plan for a square picture of `side` pixels."""
    number = int(random.integers(len(photographs)))
    height, width = photographs[number].shape[:2]
    most = min(height, width)
    crop = int(random.uniform(min(0.5 * side, most), most))
    left, top = int(random.integers(width - crop + 1)), int(random.integers(height - crop + 1))
    light = (float(random.uniform(0.7, 1.2)), float(random.uniform(-20, 20)))
    count = 0 if random.random() < EMPTY else int(random.integers(1, MOST + 1))
    placed: list[Placed] = []
    for _ in range(count):
        one = _place(side, digits, placed, random)
        if one is not None:
            placed.append(one)
    return Plan(number, (left, top, left + crop, top + crop), bool(random.random() < 0.5), light, tuple(placed))


def _place(side: int, digits: Sequence[Digit], placed: Sequence[Placed], random: np.random.Generator) -> Placed | None:
    """A digit at a place where it overlaps the others little; None where none was found."""
    number = int(random.integers(len(digits)))
    low, high = math.log(SIZES[0]), math.log(SIZES[1])
    tall = math.exp(random.uniform(low, high))
    stretch = math.exp(random.uniform(-1, 1) * math.log(STRETCH))
    ink = digits[number].ink.shape
    wide = max(4.0, tall * ink[1] / ink[0] * stretch)
    degrees = float(random.uniform(-TURN, TURN))
    cosine, sine = math.cos(math.radians(degrees)), abs(math.sin(math.radians(degrees)))
    across, down = math.ceil(wide * cosine + tall * sine) + 2, math.ceil(wide * sine + tall * cosine) + 2
    contrast, tint = float(random.uniform(*CONTRAST)), random.uniform(-1, 1, 3)
    if across > side or down > side:
        return None
    for _ in range(TRIES):
        left, top = int(random.integers(side - across + 1)), int(random.integers(side - down + 1))
        box = (left, top, left + across, top + down)
        if all(_overlap(box, other.box) <= OVERLAP for other in placed):
            red, green, blue = tint.tolist()
            return Placed(number, box, tall, wide, degrees, contrast, (red, green, blue))
    return None


def _overlap(first: Box, second: Box) -> float:
    """The shared area as a share of the smaller box's."""
    wide = min(first[2], second[2]) - max(first[0], second[0])
    tall = min(first[3], second[3]) - max(first[1], second[1])
    if wide <= 0 or tall <= 0:
        return 0.0
    areas = [(x2 - x1) * (y2 - y1) for x1, y1, x2, y2 in (first, second)]
    return wide * tall / min(areas)


def draw_picture(
    plan: Plan, side: int, photographs: Sequence[Photograph], digits: Sequence[Digit]
) -> tuple[UInt8[np.ndarray, "side side 3"], Objects]:
    """The picture of a plan and its objects. Where digits overlap, the later one covers the earlier."""
    image = _background(plan, side, photographs)
    masks = np.zeros((len(plan.digits), side, side), np.uint8)
    for number, placed in enumerate(plan.digits):
        x1, y1, x2, y2 = placed.box
        ink = _ink(placed, digits[placed.digit])
        patch = image[y1:y2, x1:x2]
        patch[:] = _coloured(patch, ink, placed)
        shown = (ink >= 128).astype(np.uint8)
        masks[:number, y1:y2, x1:x2] *= 1 - shown
        masks[number, y1:y2, x1:x2] = shown
    labels = np.array([digits[placed.digit].label for placed in plan.digits], np.int64)
    none, areas = np.zeros(len(labels), bool), masks.sum((1, 2), dtype=np.int64).astype(np.float32)
    return image, Objects(mask_boxes(masks), labels, masks, crowd=none, difficult=none.copy(), areas=areas)


def _background(plan: Plan, side: int, photographs: Sequence[Photograph]) -> UInt8[np.ndarray, "side side 3"]:
    x1, y1, x2, y2 = plan.window
    part = photographs[plan.photograph][y1:y2, x1:x2]
    finer = cv2.INTER_AREA if x2 - x1 > side else cv2.INTER_LINEAR
    image = cv2.resize(part, (side, side), interpolation=finer)
    factor, shift = plan.light
    image = cv2.addWeighted(image, factor, image, 0, shift)
    return cv2.flip(image, 1) if plan.mirrored else image


def _ink(placed: Placed, digit: Digit) -> UInt8[np.ndarray, "height width"]:
    """A digit's ink in its box, turned about the middle."""
    ink = digit.ink if placed.height > 0.75 * digit.ink.shape[0] else digit.small
    x1, y1, x2, y2 = placed.box
    across, down = placed.width / ink.shape[1], placed.height / ink.shape[0]
    turn = math.radians(placed.degrees)
    linear = np.array(
        [[across * math.cos(turn), down * math.sin(turn)], [-across * math.sin(turn), down * math.cos(turn)]]
    )
    from_middle = np.array([(ink.shape[1] - 1) / 2, (ink.shape[0] - 1) / 2])
    to_middle = np.array([(x2 - x1 - 1) / 2, (y2 - y1 - 1) / 2])
    matrix = np.column_stack([linear, to_middle - linear @ from_middle])
    return cv2.warpAffine(ink, matrix, (x2 - x1, y2 - y1), flags=cv2.INTER_LINEAR)


def _coloured(
    patch: UInt8[np.ndarray, "height width 3"], ink: UInt8[np.ndarray, "height width"], placed: Placed
) -> UInt8[np.ndarray, "height width 3"]:
    """The patch with the ink laid on in a colour that stands out from what is behind it."""
    alpha = (ink.astype(np.float32) / 255)[..., None]
    behind = (patch * alpha).sum((0, 1)) / max(float(alpha.sum()), 1.0)
    colour = _colour(float(behind @ GREY), placed)
    return np.round(patch + alpha * (colour - patch)).astype(np.uint8)


def _colour(behind: float, placed: Placed) -> Float[np.ndarray, " 3"]:
    """A colour whose grey is `contrast` levels from `behind`, on the side with more room, tinted at random."""
    room = 255 - behind if behind < 128 else behind
    grey = behind + min(placed.contrast, room) * (1 if behind < 128 else -1)
    tint = np.array(placed.tint, np.float32) * 80
    tint -= float(tint @ GREY)  # changes the colour and not the grey
    # As much of the tint as keeps all channels in range, so that the grey stays.
    edges = np.where(tint > 0, 255 - grey, grey) / np.maximum(np.abs(tint), 1e-6)
    return grey + tint * min(1.0, float(edges.min()))
