"""Weights and pictures by the written rule of ../shared/reference/README.md, and the facts that were taken with them."""

import json
import zlib
from functools import cache
from math import prod, sqrt
from pathlib import Path
from typing import Any

import numpy as np
import torch

FACTS = Path(__file__).parents[2].parent / "shared" / "reference" / "classification.json"


@cache
def facts() -> dict[str, dict[str, Any]]:
    """Of each public network: state keys and shapes, parameters, multiply-adds, outputs. Empty without the file."""
    return json.loads(FACTS.read_text(encoding="utf-8"))["models"] if FACTS.is_file() else {}


def noise(key: str, count: int) -> np.ndarray:
    """`count` float64 numbers in [-1, 1) that depend on the key alone."""
    numbers = np.arange(count, dtype=np.uint64)
    numbers *= np.uint64(2654435761)
    numbers += np.uint64(zlib.crc32(key.encode()))
    h = numbers.astype(np.uint32)
    h ^= h >> np.uint32(16)
    h *= np.uint32(0x7FEB352D)
    h ^= h >> np.uint32(15)
    h *= np.uint32(0x846CA68B)
    h ^= h >> np.uint32(16)
    return h / 2.0**31 - 1.0


def filled(key: str, shape: tuple[int, ...]) -> torch.Tensor:
    """A tensor of a state by the rule."""
    if key.endswith("num_batches_tracked"):
        return torch.zeros((), dtype=torch.long)
    u = noise(key, prod(shape)).reshape(shape)
    if key.endswith("running_var"):
        u = 1 + 0.2 * u
    elif key.endswith("running_mean"):
        u = 0.05 * u
    elif len(shape) >= 2:
        u = u * sqrt(3) * sqrt(2 / prod(shape[1:]))
    elif key.endswith("weight"):
        u = 1 + 0.1 * u
    else:
        u = 0.01 * u
    return torch.from_numpy(u.astype(np.float32))


def picture(size: int) -> torch.Tensor:
    """The picture by the rule, 1 x 3 x size x size."""
    return torch.from_numpy(noise("input", 3 * size * size).reshape(1, 3, size, size).astype(np.float32))
