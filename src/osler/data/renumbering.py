"""Labels of other data in the order that a trained model knows."""

from collections.abc import Sequence

import numpy as np

from osler.data.objects.object_set import ObjectDataSet
from osler.data.parts import Parts
from osler.data.source import TargetKind
from osler.structures.errors import DataError

WORDS: dict[TargetKind, str] = {"class": "classes", "labels": "labels", "numbers": "numbers", "objects": "classes"}


def renumber(parts: Parts, names: Sequence[str]) -> Parts:
    """The same parts with targets numbered as in `names`. Classes and labels may be missing from the data; numbers may
    not.

    Raises:
        DataError: the data has a name that `names` lacks, or lacks a number that it has.
    """
    strange = [name for name in parts.names if name not in names]
    missing = [name for name in names if name not in parts.names] if parts.kind == "numbers" else []
    if strange or missing:
        what = WORDS[parts.kind]
        fault = (
            f"has {what} that are not known: {', '.join(strange[:6])}" if strange else f"lacks {', '.join(missing[:6])}"
        )
        raise DataError(
            f"{parts.name} {fault}. Known {what}: {', '.join(names[:20])}{', ...' if len(names) > 20 else ''}."
        )
    if parts.kind == "objects":
        places = np.array([names.index(name) for name in parts.names])
        for part, dataset in parts.given().items():
            assert isinstance(dataset, ObjectDataSet)
            setattr(parts, part, dataset.relabelled(places, len(names)))
        parts.names = tuple(names)
        return parts
    for part, dataset in parts.given().items():
        setattr(parts, part, dataset.select(np.arange(len(dataset)), _renumbered(dataset.targets, parts, names)))
    parts.names = tuple(names)
    return parts


def _renumbered(targets: np.ndarray, parts: Parts, names: Sequence[str]) -> np.ndarray:
    places = np.array([names.index(name) for name in parts.names])
    if parts.kind == "class":
        return places[targets]
    spread = np.zeros((len(targets), len(names)), targets.dtype)
    spread[:, places] = targets
    return spread
