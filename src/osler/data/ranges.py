"""The smallest, the median and the largest of some numbers."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True, slots=True)
class Range:
    """The smallest, the median and the largest of some numbers."""

    smallest: float
    median: float
    largest: float


def range_of(values: Sequence[float]) -> Range | None:
    """Their range; None of none."""
    return Range(min(values), median(values), max(values)) if values else None
