"""Several data sets as one."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Int

from osler.data.source import DataSet
from osler.structures.sample import Sample


class JoinedDataSet:
    """Samples of several data sets, numbered through."""

    def __init__(
        self, parts: Sequence[DataSet], rows: Int[np.ndarray, " rows"] | None = None, targets: np.ndarray | None = None
    ):
        """`rows` picks among the samples of all parts one after the other (None: all); `targets` takes the place of
        theirs.
        """
        self.parts = list(parts)
        self._ends = np.cumsum([len(p) for p in self.parts])
        self.rows = np.arange(self._ends[-1]) if rows is None else rows
        self._given = targets is not None
        self.targets = np.concatenate([p.targets for p in self.parts])[self.rows] if targets is None else targets

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> Sample:
        part, row = self._place(index)
        sample = part[row]
        target = self.targets[index] if self._given else sample.target
        return replace(sample, index=index, target=target)

    def path(self, index: int) -> str:
        """Where a picture came from."""
        part, row = self._place(index)
        return part.path(row)

    def select(self, rows: Int[np.ndarray, " rows"], targets: np.ndarray | None = None) -> "JoinedDataSet":
        """The data set of these rows, in this order."""
        kept = self.targets[rows] if targets is None and self._given else targets
        return JoinedDataSet(self.parts, self.rows[rows], kept)

    @property
    def decode_size(self) -> tuple[int, int] | None:
        """The size at which pictures are decoded."""
        return self.parts[0].decode_size

    @decode_size.setter
    def decode_size(self, size: tuple[int, int] | None) -> None:
        for part in self.parts:
            part.decode_size = size

    def _place(self, index: int) -> tuple[DataSet, int]:
        row = int(self.rows[index])
        part = int(np.searchsorted(self._ends, row, side="right"))
        return self.parts[part], row - (int(self._ends[part - 1]) if part else 0)


def joined(parts: Sequence[DataSet]) -> DataSet:
    """One data set of all parts; the part itself where there is only one."""
    return parts[0] if len(parts) == 1 else JoinedDataSet(parts)
