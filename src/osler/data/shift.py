"""Do the pictures that a network will meet look like those that it learns from?

A classifier two-sample test (Lopez-Paz and Oquab 2017, "Revisiting classifier two-sample tests"): a classifier is asked
to tell the two apart on pictures it has not seen. It cannot where they come from one distribution: the area under its
ROC curve is then 0.5.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from osler.data.source import DataSet
from osler.imaging.colour import to_channels
from osler.imaging.header import UnreadableError
from osler.structures.errors import DataError

THUMBNAIL = 8  # pixels a side: enough for light, colour and layout
LOOKED_AT = 500  # pictures of each set
FEWEST = 10
NOTABLE = 0.65  # area from which the shift is worth a warning, if chance does not explain it


@dataclass(frozen=True, slots=True)
class Shift:
    """How well training and deployment pictures can be told apart."""

    area: float  # under the ROC curve; 0.5: not at all, 1: always
    spread: float  # standard error of the area if there were no difference
    pictures: tuple[int, int]

    @property
    def notable(self) -> bool:
        """Whether the sets differ by more than chance (two standard errors) and by enough to matter."""
        return self.area >= max(NOTABLE, 0.5 + 2 * self.spread)


def measure_shift(train: DataSet, deployment: DataSet, *, seed: int = 0) -> Shift:
    """How well a logistic regression on thumbnails tells the pictures of two sets apart, by five-fold cross-validation.

    Raises:
        DataError: a set has fewer than ten readable pictures.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import StratifiedKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    sets = [_features(train, seed), _features(deployment, seed)]
    first, second = map(len, sets)
    if min(first, second) < FEWEST:
        raise DataError(
            f"A shift needs {FEWEST} readable pictures of each set to be seen; there are {first} and {second}."
        )
    features = np.concatenate(sets)
    origin = np.repeat([0, 1], [first, second])
    classifier = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=1000))
    folds = StratifiedKFold(5, shuffle=True, random_state=seed % 2**32)
    scores = cross_val_predict(classifier, features, origin, cv=folds, method="decision_function")
    chance = math.sqrt((first + second + 1) / (12 * first * second))  # of the Mann-Whitney statistic, which the area is
    return Shift(float(roc_auc_score(origin, scores)), chance, (first, second))


def _features(dataset: DataSet, seed: int) -> Float[np.ndarray, "pictures features"]:
    rows = np.random.default_rng(seed % 2**32).permutation(len(dataset))[:LOOKED_AT]
    return np.array([thumbnail_features(image) for image in _readable(dataset, rows)])


def _readable(dataset: DataSet, rows: np.ndarray) -> Iterator[UInt8[np.ndarray, "height width channels"]]:
    for row in rows.tolist():
        try:
            yield dataset[row].image
        except UnreadableError:
            continue


def thumbnail_features(image: UInt8[np.ndarray, "height width channels"]) -> Float[np.ndarray, " features"]:
    """A picture's 8x8 thumbnail in RGB; spread and mean squared Laplacian of its grey; its sides (logarithms)."""
    small = cv2.resize(to_channels(image, 3), (THUMBNAIL, THUMBNAIL), interpolation=cv2.INTER_AREA)
    plane = to_channels(image, 1)[..., 0].astype(np.float32)
    sharpness = float(np.square(cv2.Laplacian(plane, cv2.CV_32F)).mean())
    height, width = plane.shape
    facts = [plane.std(), math.log1p(sharpness), math.log(height), math.log(width)]
    return np.concatenate([small.ravel().astype(np.float64), facts])
