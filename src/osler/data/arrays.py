"""Pictures of one size that are in memory already."""

from typing import Any

import numpy as np
from jaxtyping import Int, UInt8

from osler.structures.sample import Sample


class ArrayDataSet:
    """Pictures in one array of bytes, an answer each. Parts made with `select` share the array."""

    def __init__(
        self,
        images: UInt8[np.ndarray, "pictures height width channels"],
        targets: np.ndarray,
        *,
        rows: Int[np.ndarray, " samples"] | None = None,
    ) -> None:
        """`rows` says which pictures belong to the set (None: all); `targets` has an entry per row."""
        self.images = images.view()
        self.images.flags.writeable = False  # shared by every sample that was ever given out
        self.rows = np.arange(len(images)) if rows is None else rows
        self.targets = targets
        self.decode_size: tuple[int, int] | None = None  # nothing to decode
        self._places: list[int] = (
            self.rows.tolist()
        )  # Python's own numbers: indexing NumPy for one costs more than the sample
        self._answers: list[Any] = targets.tolist() if targets.ndim == 1 else list(targets)

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, index: int) -> Sample:
        return Sample(self.images[self._places[index]], self._answers[index], index=index)

    def path(self, index: int) -> str:
        """Empty: a picture in an array has no file of its own."""
        return ""

    def select(self, rows: Int[np.ndarray, " rows"], targets: np.ndarray | None = None) -> "ArrayDataSet":
        """The data set of these rows, in this order, with other targets where given; the pixels are shared."""
        return ArrayDataSet(self.images, self.targets[rows] if targets is None else targets, rows=self.rows[rows])
