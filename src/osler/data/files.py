"""Pictures that lie in files, decoded when they are asked for."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from jaxtyping import Int

from osler.imaging.decode import EncodedPicture, read_image
from osler.imaging.opening import undecoded
from osler.structures.sample import Sample


class FileDataSet:
    """Picture files, an answer each."""

    def __init__(self, paths: Sequence[str], targets: np.ndarray, *, channels: Literal[1, 3] = 3) -> None:
        self.paths = list(paths)
        self.targets = targets
        self.channels: Literal[1, 3] = channels
        self.decode_size: tuple[int, int] | None = None
        self._answers: list[Any] = targets.tolist() if targets.ndim == 1 else list(targets)

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> Sample:
        path = self.paths[index]
        image = read_image(path, channels=self.channels, at_least=self.decode_size)
        return Sample(image, self._answers[index], index=index, path=path)

    def encoded(self, index: int) -> tuple[EncodedPicture, Sample]:
        """The picture still encoded, and its sample without pixels, for a transform that decodes no more than it needs.

        Raises:
            UnreadableError: the file is missing, empty or no picture.
        """
        path = self.paths[index]
        picture = EncodedPicture.open(path, channels=self.channels)
        return picture, undecoded(picture, target=self._answers[index], index=index, path=path)

    def path(self, index: int) -> str:
        """The file of a picture."""
        return self.paths[index]

    def select(self, rows: Int[np.ndarray, " rows"], targets: np.ndarray | None = None) -> "FileDataSet":
        """The data set of these rows, in this order, with other targets where given, and with a `decode_size` of its
        own.
        """
        answers = self.targets[rows] if targets is None else targets
        chosen = FileDataSet([self.paths[i] for i in rows.tolist()], answers, channels=self.channels)
        chosen.decode_size = self.decode_size
        return chosen
