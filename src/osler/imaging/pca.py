"""Principal components as preprocessing: pictures in fewer numbers, or whitened (no two pixels correlated)."""

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from jaxtyping import Float, UInt8

Whitening = Literal["none", "pca", "zca"]


@dataclass
class PixelPCA:
    """Principal components of pixel arrays, learnt from training pictures alone.

    >>> pca = PixelPCA(variance=0.95).fit(train_images)
    >>> codes = pca.transform(test_images)  # [samples, pca.kept]

    `whiten="pca"` scales every component to variance 1. `"zca"` turns the result back to pixels (Bell and Sejnowski
    1997; Krizhevsky 2009, appendix A): the whitened pictures closest to the given ones, as many numbers as pixels, of
    which the kept components speak.
    """

    variance: float = 0.95  # share of the variance that the kept components must explain; 1: all components
    whiten: Whitening = "none"
    epsilon: float = 1e-5  # added to variances (pixels in [0, 1]) before dividing by their roots
    _fitted: Any = field(default=None, init=False, repr=False)
    _shape: tuple[int, ...] = field(default=(), init=False, repr=False)

    def __post_init__(self) -> None:
        if not 0 < self.variance <= 1:
            raise ValueError(f"The share of variance to keep lies in (0, 1]; given: {self.variance}.")
        if self.whiten not in ("none", "pca", "zca"):
            raise ValueError(f"Whitening is none, pca or zca; given: {self.whiten!r}.")

    def fit(self, images: UInt8[np.ndarray, "samples *picture"]) -> "PixelPCA":
        """Learn mean and components, from training pictures only: what it learns from others leaks into the training.

        Raises:
            ValueError: fewer than two pictures.
        """
        from sklearn.decomposition import PCA

        if len(images) < 2:
            raise ValueError(f"Principal components need at least two pictures; given: {len(images)}.")
        share = None if self.variance == 1 else self.variance
        self._fitted = PCA(n_components=share, svd_solver="full").fit(_flat(images))
        self._shape = images.shape[1:]
        return self

    @property
    def kept(self) -> int:
        """How many components are kept."""
        return int(self._ready().n_components_)

    @property
    def explained(self) -> float:
        """The share of the training pictures' variance that the kept components explain."""
        return float(self._ready().explained_variance_ratio_.sum())

    def transform(self, images: UInt8[np.ndarray, "samples *picture"]) -> Float[np.ndarray, "samples numbers"]:
        """Pictures as float32 codes, a row each: components (none, pca) or whitened pixels (zca).

        Raises:
            ValueError: nothing was fitted yet, or the pictures have another shape.
        """
        pca = self._ready()
        if images.shape[1:] != self._shape:
            raise ValueError(f"Fitted on pictures of {self._shape}; these are {images.shape[1:]}.")
        codes = (_flat(images) - pca.mean_) @ pca.components_.T
        if self.whiten != "none":
            codes /= self._spread()
        if self.whiten == "zca":
            codes = codes @ pca.components_
        return codes.astype(np.float32)

    def inverse(self, codes: Float[np.ndarray, "samples numbers"]) -> UInt8[np.ndarray, "samples *picture"]:
        """Pictures from codes, as near as the kept components come."""
        pca = self._ready()
        values = codes.astype(np.float64)
        if self.whiten == "zca":
            values = values @ pca.components_.T
        if self.whiten != "none":
            values = values * self._spread()
        pixels = values @ pca.components_ + pca.mean_
        return np.clip(np.rint(pixels * 255), 0, 255).astype(np.uint8).reshape(-1, *self._shape)

    def _spread(self) -> np.ndarray:
        return np.sqrt(self._ready().explained_variance_ + self.epsilon)

    def _ready(self) -> Any:
        if self._fitted is None:
            raise ValueError("Call fit with the training pictures first.")
        return self._fitted


def _flat(images: UInt8[np.ndarray, "samples *picture"]) -> Float[np.ndarray, "samples pixels"]:
    return images.reshape(len(images), -1).astype(np.float64) / 255
