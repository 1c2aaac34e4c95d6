"""What a detector learns from and what it answers: the true objects of a picture, and those that were found."""

from dataclasses import dataclass, fields, replace
from typing import Self

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from osler.structures.sample import Objects, Sample


@dataclass(slots=True)
class _Rows:
    """Things with a row each: whatever picks rows picks them of every attribute."""

    boxes: Float[Tensor, "objects 4"]

    def __len__(self) -> int:
        return len(self.boxes)

    def select(self, keep: Bool[Tensor, " objects"] | Int[Tensor, " kept"]) -> Self:
        """The rows that `keep` picks (a mask or indices), in its order."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        return replace(self, **{n: v[keep] if isinstance(v, Tensor) else v for n, v in values.items()})

    def to(self, device: torch.device | str) -> Self:
        """The same on another device."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        return replace(self, **{n: v.to(device) if isinstance(v, Tensor) else v for n, v in values.items()})


@dataclass(slots=True)
class TrueObjects(_Rows):
    """What is to be found in a picture. Boxes are x1, y1, x2, y2 in pixels of the network's input, x2 and y2 exclusive.

    Crowds (one box around many) and difficult objects count neither for nor against a detector.
    """

    labels: Int[Tensor, " objects"]
    ignored: Bool[Tensor, " objects"]  # crowds and difficult ones
    masks: UInt8[Tensor, "objects height width"] | None = None  # 0 or 1, of the size of the input
    crowd: Bool[Tensor, " objects"] | None = None  # which of the ignored ones are crowds
    areas: Float[Tensor, " objects"] | None = None  # in pixels of the picture, as annotated; None: the boxes' own
    scale: tuple[float, float] = (1.0, 1.0)  # x, y: pixels of the input for a pixel of the picture

    @classmethod
    def of(cls, sample: Sample) -> "TrueObjects":
        """The truth of a sample; a picture without objects has none, and is a valid negative."""
        objects = sample.objects
        if objects is None:
            objects = Objects(np.zeros((0, 4), np.float32), np.zeros(0, np.int64))
        count = len(objects)
        crowd = np.zeros(count, bool) if objects.crowd is None else objects.crowd.astype(bool)
        return cls(
            torch.from_numpy(objects.boxes.astype(np.float32).reshape(-1, 4)),
            torch.from_numpy(objects.labels.astype(np.int64)),
            torch.from_numpy(objects.ignored),
            None if objects.masks is None else torch.from_numpy(np.ascontiguousarray(objects.masks)),
            torch.from_numpy(crowd),
            None if objects.areas is None else torch.from_numpy(objects.areas.astype(np.float32)),
            sample.scale,
        )

    @property
    def counted(self) -> "TrueObjects":
        """Those that a detector is to find."""
        return self.select(~self.ignored)


@dataclass(slots=True)
class Detections(_Rows):
    """What a detector found in a picture, the surest first. Boxes as in TrueObjects."""

    labels: Int[Tensor, " objects"]
    scores: Float[Tensor, " objects"]  # 0 to 1
    masks: Float[Tensor, "objects side side"] | None = None  # probability of each cell of a grid over the box
