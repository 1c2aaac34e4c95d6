"""A Batch: samples stacked into tensors, and how nested tensors move to a device."""

from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor


def move(value: Any, device: torch.device | str) -> Any:
    """`value` with every tensor inside (lists, tuples, dictionaries, dataclasses) on `device`, copied without waiting.

    To a CUDA device a copy is only made without waiting from pinned memory, which torch keeps for the next batch.
    """
    if isinstance(value, Tensor):
        if value.device.type == "cpu" and torch.device(device).type == "cuda":
            value = value.pin_memory()
        return value.to(device, non_blocking=True)
    if isinstance(value, (list, tuple)):
        return type(value)(move(v, device) for v in value)
    if isinstance(value, dict):
        return type(value)((k, move(v, device)) for k, v in value.items())
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{f.name: move(getattr(value, f.name), device) for f in fields(value) if f.init})
    return value


def rows(value: Any, start: int, stop: int) -> Any:
    """Rows `start` to `stop` of a tensor or list; of every member of a dictionary or dataclass."""
    if isinstance(value, (Tensor, list, tuple)):
        return value[start:stop]
    if isinstance(value, dict):
        return type(value)((k, rows(v, start, stop)) for k, v in value.items())
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{f.name: rows(getattr(value, f.name), start, stop) for f in fields(value) if f.init})
    return value


@dataclass(slots=True)
class Batch:
    """Pictures and targets on their way through the loop.

    Pictures leave the loader as bytes in channels-last memory (a quarter of the transfer) and become standardised floats on the
    device. `target` is the task's: a tensor with a row per picture, or a list or dataclass of such.
    """

    images: UInt8[Tensor, "batch channels height width"] | Float[Tensor, "batch channels height width"]
    target: Any
    indices: Int[Tensor, " batch"]  # position of each sample in its data set

    def __len__(self) -> int:
        return len(self.indices)

    def to(self, device: torch.device | str) -> "Batch":
        """The same batch on `device`."""
        moved: Batch = move(self, device)
        return moved

    def split(self, size: int) -> "list[Batch]":
        """The batch in pieces of at most `size` samples."""
        if size >= len(self):
            return [self]
        return [rows(self, i, i + size) for i in range(0, len(self), size)]
