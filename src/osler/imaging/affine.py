"""Rotation and affine maps: pictures turned, moved, enlarged and sheared about their middle, at their own size."""

import math
from dataclasses import dataclass
from typing import Annotated, Literal

import cv2
import numpy as np
from annotated_types import Ge, Gt, Le, Lt
from jaxtyping import Float

from osler.imaging.geometry import warp_truth
from osler.imaging.pad import Level
from osler.imaging.transform import sample_transforms
from osler.structures.sample import Sample

Turn = Annotated[float, Ge(0), Le(180)]
Factor = Annotated[float, Gt(0)]


def affine_matrix(
    height: int,
    width: int,
    *,
    degrees: float = 0.0,
    scale: float = 1.0,
    shear: float = 0.0,
    shift: tuple[float, float] = (0.0, 0.0),
) -> Float[np.ndarray, "2 3"]:
    """The map of points that shears, enlarges and turns about the middle, then moves.

    Points are x, y on the picture's edges: its first pixel spans 0 to 1.

    Args:
        height: of the picture, in pixels.
        width: of the picture, in pixels.
        degrees: counter-clockwise, as a person sees it.
        scale: above 1 enlarges.
        shear: degrees by which verticals lean to the left at the top.
        shift: x, y in pixels, right and down.
    """
    turn = math.radians(degrees)
    rotation = np.array([[math.cos(turn), math.sin(turn)], [-math.sin(turn), math.cos(turn)]])
    linear = scale * rotation @ np.array([[1.0, math.tan(math.radians(shear))], [0.0, 1.0]])
    middle = np.array([width / 2, height / 2])
    return np.column_stack([linear, middle + np.array(shift) - linear @ middle])


def warp(sample: Sample, matrix: Float[np.ndarray, "2 3"], fill: int | Literal["reflect"]) -> Sample:
    """The sample under an affine map of points; what comes in from outside is one grey, or the mirrored picture."""
    height, width, channels = sample.image.shape
    half = np.array([0.5, 0.5])
    # OpenCV's points are pixel centres: (0, 0) is the middle of the first pixel.
    centres = np.column_stack([matrix[:, :2], matrix[:, 2] + matrix[:, :2] @ half - half])
    edge = cv2.BORDER_REFLECT_101 if fill == "reflect" else cv2.BORDER_CONSTANT
    value = [0.0] * 4 if fill == "reflect" else [float(fill)] * 4
    image = cv2.warpAffine(
        sample.image, centres, (width, height), flags=cv2.INTER_LINEAR, borderMode=edge, borderValue=value
    )

    def labels(plane: np.ndarray, outside: int) -> np.ndarray:
        return cv2.warpAffine(
            plane,
            centres,
            (width, height),
            flags=cv2.INTER_NEAREST,
            borderMode=cv2.BORDER_CONSTANT,
            borderValue=outside,
        )

    return warp_truth(sample, image.reshape(height, width, channels), matrix, labels)


@sample_transforms.register("rotate")
@dataclass(frozen=True)
class Rotate:
    """The picture turned about its middle by up to so many degrees either way."""

    degrees: Turn = 15.0
    fill: Level | Literal["reflect"] = 0

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """The sample, turned."""
        degrees = self.degrees * (2 * rng.random() - 1)
        return warp(sample, affine_matrix(*sample.image.shape[:2], degrees=degrees), self.fill)


@sample_transforms.register("affine")
@dataclass(frozen=True)
class Affine:
    """The picture turned, moved, enlarged and sheared at random, all about its middle."""

    degrees: Turn = 10.0  # up to so far either way
    translate: Annotated[float, Ge(0), Le(1)] = 0.1  # share of height and of width, either way
    scale: tuple[Factor, Factor] = (0.9, 1.1)  # factor, drawn log-evenly
    shear: Annotated[float, Ge(0), Lt(90)] = 0.0  # degrees, either way
    fill: Level | Literal["reflect"] = 0

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """The sample, moved."""
        height, width = sample.image.shape[:2]
        turn, lean, right, down = (2 * rng.random() - 1 for _ in range(4))
        low, high = math.log(self.scale[0]), math.log(self.scale[1])
        matrix = affine_matrix(
            height,
            width,
            degrees=self.degrees * turn,
            scale=math.exp(low + (high - low) * rng.random()),
            shear=self.shear * lean,
            shift=(self.translate * width * right, self.translate * height * down),
        )
        return warp(sample, matrix, self.fill)
