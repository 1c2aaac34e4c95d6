"""Several data sets as one."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int

from osler.data.source import DataSet
from osler.structures.sample import Sample


class JoinedDataSet:
    """The samples of some data sets one after the other, numbered through; or some of these samples."""

    def __init__(self, parts: Sequence[DataSet], *, rows: Int[np.ndarray, " samples"] | None = None) -> None:
        self.parts = list(parts)
        self._ends = np.cumsum([len(p) for p in self.parts])
        self.rows = np.arange(self._ends[-1]) if rows is None else rows
        self.targets = np.concatenate([p.targets for p in self.parts])[self.rows]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> Sample:
        part, row = self._place(index)
        sample = part[row]
        sample.index = index
        return sample

    def path(self, index: int) -> str:
        """Where the picture came from; empty for one that has no file of its own."""
        part, row = self._place(index)
        return part.path(row)

    def select(self, rows: Int[np.ndarray, " rows"]) -> "JoinedDataSet":
        """The data set of these rows, in this order."""
        return JoinedDataSet(self.parts, rows=self.rows[rows])

    @property
    def decode_size(self) -> tuple[int, int] | None:
        """The size at which pictures are decoded, where the parts read files."""
        return self.parts[0].decode_size

    @decode_size.setter
    def decode_size(self, size: tuple[int, int] | None) -> None:
        for part in self.parts:
            part.decode_size = size

    def _place(self, index: int) -> tuple[DataSet, int]:
        """The part that a sample lies in, and its row there."""
        row = int(self.rows[index])
        part = int(np.searchsorted(self._ends, row, side="right"))
        return self.parts[part], row - (int(self._ends[part - 1]) if part else 0)


def joined(parts: Sequence[DataSet]) -> DataSet:
    """One data set of all parts; the part itself where there is only one."""
    return parts[0] if len(parts) == 1 else JoinedDataSet(parts)
