"""The samples of a training as the network met them: rows, labels, which were met before, and which were never trained on."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from osler.vitals.evidence import ModelSeen, Samples
from osler.vitals.summaries import PICKS, positions

TARGETS_MOST = 32  # of a regression: more are a picture or a series
ENOUGH_VALUES = 8  # different values in a row from which on two equal rows are no accident


@dataclass(frozen=True)
class Rows:
    """Samples in the order in which they were met."""

    values: np.ndarray  # [n, picks]
    labels: np.ndarray | None  # [n, ...] as they were given
    outputs: np.ndarray | None  # [n, outputs]
    batch: np.ndarray  # [n] number of the call
    step: np.ndarray  # [n] updates made before

    def __len__(self) -> int:
        return len(self.values)

    def at(self, chosen: np.ndarray) -> "Rows":
        """Some of them."""
        pick = lambda a: None if a is None else a[chosen]  # noqa: E731
        return Rows(self.values[chosen], pick(self.labels), pick(self.outputs), self.batch[chosen], self.step[chosen])

    @cached_property
    def classes(self) -> np.ndarray | None:
        """[n] class numbers where each sample has one label that counts or is one of several; else None."""
        labels = self.labels
        if labels is None or not len(labels):
            return None
        flat = labels.reshape(len(labels), -1)
        if flat.shape[1] == 1:
            column = flat[:, 0]
            few = len(np.unique(column)) <= max(2, min(200, len(column) // 4))
            whole = column.dtype == np.int64 or bool(np.all((column == 0) | (column == 1)))
            return column.astype(np.int64) if whole and few else None
        one_hot = bool(np.all((flat == 0) | (flat == 1)) and np.all(flat.sum(1) == 1))
        return flat.argmax(1) if one_hot and labels.ndim == 2 else None

    @cached_property
    def numbers(self) -> np.ndarray | None:
        """[n, targets] what a regression is to give; None for classes and where no labels were seen."""
        if self.labels is None or self.classes is not None or self.labels.dtype == np.int64:
            return None
        numbers = self.labels.reshape(len(self.labels), -1).astype(np.float64)
        pictures = (
            numbers.shape[1] == self.values.shape[1] and numbers.shape[1] > 4
        )  # inputs, or parts of them, as targets
        return None if pictures or numbers.shape[1] > TARGETS_MOST else numbers

    @cached_property
    def keys(self) -> np.ndarray:
        """[n] a number for each row that is the same for equal rows of both moments."""
        rows = np.ascontiguousarray(self.values + 0.0)  # -0 becomes 0
        return np.array([hash(row.tobytes()) for row in rows], dtype=np.int64)

    @cached_property
    def first_times(self) -> np.ndarray:
        """[n] whether the row was not met before among these."""
        fresh = np.zeros(len(self), bool)
        fresh[np.unique(self.keys, return_index=True)[1]] = True
        return fresh

    @cached_property
    def rich(self) -> np.ndarray:
        """[n] whether a row holds so many different values that an equal one is no accident."""
        ordered = np.sort(self.values, axis=1)
        return (np.diff(ordered, axis=1) != 0).sum(1) + 1 >= ENOUGH_VALUES


NONE = Rows(np.zeros((0, 1), np.float32), None, None, np.zeros(0, int), np.zeros(0, int))


def rows_of(samples: Samples) -> Rows:
    """The samples that have as many values as most; without labels or outputs where a part has none of them."""
    if not samples.picks:
        return NONE
    widths = [picks.shape[1] for picks in samples.picks]
    width = max(set(widths), key=widths.count)
    chosen = [k for k, w in enumerate(widths) if w == width and len(samples.picks[k])]
    if not chosen or width == 0:
        return NONE
    sizes = [len(samples.picks[k]) for k in chosen]
    return Rows(
        np.concatenate([samples.picks[k] for k in chosen]),
        _together([samples.labels[k] for k in chosen], sizes),
        _together([samples.outputs[k] for k in chosen], sizes),
        np.repeat([samples.batches[k] for k in chosen], sizes),
        np.repeat([samples.steps[k] for k in chosen], sizes),
    )


def _together(parts: list[np.ndarray | None], sizes: list[int]) -> np.ndarray | None:
    given = [p for p in parts if p is not None]
    if len(given) < len(parts) or any(len(p) != s for p, s in zip(given, sizes, strict=True)):
        return None
    shapes = {(p.shape[1:], p.dtype.kind) for p in given}
    return np.concatenate(given) if len(shapes) == 1 else None


class DataSeen:
    """What a network was trained and evaluated on, as far as it was kept."""

    def __init__(self, model: ModelSeen) -> None:
        self.model = model
        self.derived: dict[str, Any] = {}  # what several checks make of it, by name
        self.train = rows_of(model.train)
        self.evaluate = rows_of(model.evaluate) if model.evaluate.picks else NONE
        if self.evaluate.values.shape[1] != self.train.values.shape[1]:
            self.evaluate = NONE

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """Of one sample, as it enters; empty where no call was described."""
        calls = [c for c in self.model.calls if c.moment == "train" and c.inputs]
        return calls[0].inputs[0].shape[1:] if calls else ()

    @cached_property
    def counts(self) -> bool:
        """Whether inputs are whole numbers, as tokens are."""
        calls = [c for c in self.model.calls if c.inputs]
        return any("float" not in c.inputs[0].dtype for c in calls) or self.train.values.dtype == np.int64

    @cached_property
    def places(self) -> np.ndarray:
        """[picks] which of a sample's values, flattened, each pick is."""
        count = int(np.prod(self.shape)) if self.shape else self.train.values.shape[1]
        return positions(count).numpy() if count else np.arange(self.train.values.shape[1])

    @property
    def whole(self) -> bool:
        """Whether the picks are all of a sample's values."""
        return self.train.values.shape[1] < PICKS or len(self.places) == int(np.prod(self.shape or (0,)))

    @cached_property
    def fresh(self) -> Rows:
        """The training samples, each where it was met first."""
        return self.train.at(np.flatnonzero(self.train.first_times))

    @cached_property
    def covered(self) -> bool:
        """Whether training had come round: nearly all samples of the last quarter that was kept had been met before."""
        last = self.train.first_times[len(self.train) * 3 // 4 :]
        return len(last) >= 8 and float(last.mean()) < 0.02

    @cached_property
    def known(self) -> np.ndarray:
        """[n] which evaluation samples were trained on, value for value."""
        return np.isin(self.evaluate.keys, self.train.keys)

    @cached_property
    def unknown_calls(self) -> Rows:
        """The evaluation samples of the calls in which hardly any had been trained on."""
        return self.evaluate.at(np.flatnonzero(self._share_by_call < 0.5)) if len(self.evaluate) else NONE

    @cached_property
    def held_out(self) -> Rows:
        """The evaluation samples of those calls, each once."""
        rows = self.unknown_calls
        return rows.at(np.flatnonzero(rows.first_times)) if len(rows) else NONE

    @cached_property
    def known_by_call(self) -> dict[int, tuple[int, int]]:
        """By call: how many of its samples were trained on, and how many it has."""
        found = {}
        for batch in np.unique(self.evaluate.batch):
            inside = self.evaluate.batch == batch
            found[int(batch)] = int(self.known[inside].sum()), int(inside.sum())
        return found

    @cached_property
    def _share_by_call(self) -> np.ndarray:
        shares = {batch: hits / size for batch, (hits, size) in self.known_by_call.items()}
        return np.array([shares[int(b)] for b in self.evaluate.batch])
