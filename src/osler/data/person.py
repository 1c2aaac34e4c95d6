"""A person's own data: torch data sets, or arrays, as a DataSource."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Int

from osler.data.arrays import ArrayDataSet
from osler.data.assembling import assemble, refuse_unlearnable
from osler.data.parts import SPLIT_NAMES, Parts
from osler.data.person_image import as_image, as_images
from osler.data.recipe import DataSection
from osler.data.renumbering import renumber
from osler.data.source import DataSet, DataSource, TargetKind
from osler.structures.errors import DataError
from osler.structures.sample import Sample

EXPECTED = (
    "a torch Dataset of (image, label), a tuple (images, labels) of arrays, a tuple of two or three such Datasets "
    "(train, validation, test), or a dictionary {'train': ..., 'validation': ..., 'test': ...} of any of these"
)


def from_person(data: Any, section: DataSection, seed: int, *, names: Sequence[str] | None = None) -> DataSource:
    """A DataSource of what a person passed in Python.

    Args:
        data: a torch Dataset that gives (image, label); arrays (images, labels); two or three Datasets; or a dictionary
            of parts. Images are PIL's, NumPy's (height x width x channels) or torch's (channels x height x width),
            bytes or floats 0 to 1. Labels are a class index, a vector of 0 and 1, or one or several numbers. What a
            Dataset draws from torch's, NumPy's or Python's own generator follows, while batches are read, from the
            seed, the epoch and the item.
        section: how it is divided where the person did not.
        seed: of the division.
        names: what a trained model calls its outputs, where the data is to be judged by it: as for `open_data`. Data
            without names of its own has the model's.

    Raises:
        DataError: the data is none of these, or its labels do not go together.
    """
    sets = {name: _data_set(part, name, section) for name, part in _parts_of(data).items()}
    train = sets["train"]
    for name, part in sets.items():
        if part.targets.dtype != train.targets.dtype or part.targets.shape[1:] != train.targets.shape[1:]:
            raise DataError(f"The labels of the {name} data are of another kind than those of the training data.")
    kind = _kind(train.targets)
    own = _names(data, sets, kind, names or ())
    parts = Parts("your data", kind, own, train, sets.get("validation"), sets.get("test"))
    if names is None:
        refuse_unlearnable(parts)
    else:
        parts = renumber(parts, names)
    return assemble(parts, section, seed)


class PersonDataSet:
    """A torch Dataset of (image, label) as a DataSet. Its items are read when they are asked for."""

    def __init__(
        self, dataset: Any, targets: np.ndarray, *, channels: int, rows: Int[np.ndarray, " samples"] | None = None
    ) -> None:
        self.dataset = dataset
        self.targets = targets
        self.channels = channels
        self.rows = np.arange(len(targets)) if rows is None else rows
        self.decode_size: tuple[int, int] | None = None  # the person decodes
        self._answers: list[Any] = targets.tolist() if targets.ndim == 1 else list(targets)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> Sample:
        image = as_image(self.dataset[int(self.rows[index])][0], self.channels)
        return Sample(image, self._answers[index], index=index)

    def path(self, index: int) -> str:
        """Empty: where the person's pictures come from is not known."""
        return ""

    def select(self, rows: Int[np.ndarray, " rows"], targets: np.ndarray | None = None) -> "PersonDataSet":
        """The data set of these rows, in this order, with other targets where given."""
        answers = self.targets[rows] if targets is None else targets
        return PersonDataSet(self.dataset, answers, channels=self.channels, rows=self.rows[rows])


def _parts_of(data: Any) -> dict[str, Any]:
    if isinstance(data, Mapping):
        parts = {SPLIT_NAMES.get(str(name).lower(), str(name)): part for name, part in data.items()}
        if "train" not in parts or not set(parts) <= {"train", "validation", "test"}:
            raise DataError(f"data has the parts {', '.join(map(str, data))}; expected is {EXPECTED}.")
        return {name: part for name, part in parts.items() if part is not None}
    if isinstance(data, tuple) and len(data) in (2, 3) and not _are_arrays(data):
        return {
            name: part for name, part in zip(("train", "validation", "test"), data, strict=False) if part is not None
        }
    return {"train": data}


def _are_arrays(data: Any) -> bool:
    """Whether this is (images, labels), and not a pair of Datasets: labels are one-dimensional, or a table."""
    return isinstance(data, tuple) and len(data) == 2 and isinstance(data[0], (np.ndarray, torch.Tensor))


def _data_set(data: Any, part: str, section: DataSection) -> DataSet:
    if _are_arrays(data):
        images, targets = as_images(data[0]), _targets(data[1], section)
        if len(images) != len(targets):
            raise DataError(f"The {part} data has {len(images)} images and {len(targets)} labels.")
        return ArrayDataSet(images, targets)
    if not hasattr(data, "__getitem__") or not hasattr(data, "__len__"):
        raise DataError(f"The {part} data is a {type(data).__name__}; expected is {EXPECTED}.")
    if len(data) == 0:
        raise DataError(f"The {part} data is empty.")
    first = data[0]
    if not isinstance(first, Sequence) or len(first) != 2:
        raise DataError(f"An item of the {part} data is a {type(first).__name__}; (image, label) is expected.")
    channels = 1 if as_image(first[0], None).shape[2] == 1 else 3
    return PersonDataSet(data, _targets(_labels_of(data), section), channels=channels)


def _labels_of(data: Any) -> Any:
    """All labels: the Dataset's own list, as torch's data sets keep one, or by going through it once."""
    for name in ("targets", "labels"):
        known = getattr(data, name, None)
        transforms = getattr(data, "target_transform", None)
        if known is not None and transforms is None and len(known) == len(data):
            return known
    return [data[i][1] for i in range(len(data))]


def _targets(labels: Any, section: DataSection) -> np.ndarray:
    """Labels as int64 [n], uint8 [n k] or float32 [n k]."""
    try:
        values = torch.stack(list(labels)).numpy() if _tensors(labels) else np.asarray(labels)
        values = values.astype(values.dtype if values.dtype.kind in "biuf" else np.float64)
    except (ValueError, RuntimeError, TypeError) as error:
        raise DataError(f"Labels must be class indices, vectors of one length, or numbers ({error}).") from error
    kind = section.labels if section.labels != "auto" else _seeming_kind(values)
    shapes: dict[str, Callable[[np.ndarray], np.ndarray]] = {"class": _classes, "labels": _vectors, "numbers": _numbers}
    return shapes[kind](values)


def _tensors(labels: Any) -> bool:
    return isinstance(labels, Sequence) and len(labels) > 0 and isinstance(labels[0], torch.Tensor)


def _seeming_kind(values: np.ndarray) -> TargetKind:
    if values.ndim == 1 or values.shape[1:] == (1,):
        return "numbers" if values.dtype.kind == "f" else "class"
    return "labels" if np.isin(values, (0, 1)).all() else "numbers"


def _classes(values: np.ndarray) -> np.ndarray:
    values = values.reshape(-1)
    if (values < 0).any() or (values != np.floor(values)).any():
        raise DataError(
            f"Classes are numbered from 0 in whole numbers; the labels go from {values.min()} to {values.max()}."
        )
    return values.astype(np.int64)


def _vectors(values: np.ndarray) -> np.ndarray:
    if values.ndim != 2 or not np.isin(values, (0, 1)).all():
        raise DataError("Several labels a picture are a vector of 0 and 1 for each.")
    return values.astype(np.uint8)


def _numbers(values: np.ndarray) -> np.ndarray:
    numbers = values.reshape(len(values), -1).astype(np.float32)
    if not np.isfinite(numbers).all():
        raise DataError(f"Number {int(np.flatnonzero(~np.isfinite(numbers).all(1))[0])} of the labels is not finite.")
    return numbers


def _kind(targets: np.ndarray) -> TargetKind:
    if targets.ndim == 1:
        return "class"
    return "labels" if targets.dtype == np.uint8 else "numbers"


def _names(data: Any, sets: Mapping[str, DataSet], kind: TargetKind, known: Sequence[str]) -> tuple[str, ...]:
    """The Dataset's own `classes`, where it has as many as are needed; else the known names; else numbers."""
    targets = [part.targets for part in sets.values()]
    count = max(int(t.max()) for t in targets) + 1 if kind == "class" else targets[0].shape[1]
    own = getattr(_parts_of(data)["train"], "classes", ())
    if kind != "numbers" and isinstance(own, Sequence) and len(own) >= count:
        return tuple(map(str, own))
    if count == len(known) or (kind == "class" and count < len(known)):
        return tuple(known)
    return tuple(f"number {i}" if kind == "numbers" else str(i) for i in range(count))
