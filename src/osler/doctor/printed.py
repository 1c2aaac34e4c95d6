"""The curves that a script itself prints: `epoch 3 loss 0.41 val acc: 0.87`, `Test accuracy 83.1%`, dictionaries, tables.

A number belongs to the words before it. Numbers with the same words, at the same place of lines that read alike, make a
series.
"""

import math
import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np

Kind = Literal["loss", "accuracy", "precision", "recall", "f1", "error", "r2", "counter", ""]
Part = Literal["train", "evaluation", ""]

KINDS: dict[Kind, frozenset[str]] = {
    "counter": frozenset((
        "epoch", "epochs", "ep", "step", "steps", "iter", "iters", "iteration", "iterations", "batch", "batches",
        "it", "round", "rounds", "update", "updates", "seed", "fold", "stage", "episode", "lr", "rate", "time",
        "seconds", "sec", "eta", "samples", "parameters", "params", "size", "trainable", "class", "lines",
    )),
    "accuracy": frozenset((
        "acc", "accuracy", "accuracies", "accu", "top1",
    )),
    "precision": frozenset(("precision", "prec", "ppv")),
    "recall": frozenset(("recall", "sensitivity", "tpr", "rec")),
    "f1": frozenset(("f1", "fscore", "dice")),
    "r2": frozenset(("r2", "r²")),
    "loss": frozenset((
        "loss", "losses", "nll", "ce", "bce", "cost", "objective", "mse", "l1", "crossentropy", "xent", "elbo",
    )),
    "error": frozenset((
        "error", "err", "mae", "rmse", "errors", "deviation",
    )),
}  # fmt: skip
PARTS: dict[Part, frozenset[str]] = {
    "evaluation": frozenset((
        "val", "valid", "validation", "test", "testing", "dev", "eval", "evaluation", "held", "heldout", "holdout",
        "unseen", "te", "va",
    )),
    "train": frozenset((
        "train", "training", "tr", "trn", "fit",
    )),
}  # fmt: skip
IDLE = frozenset((
        "tensor", "device", "grad", "fn", "cuda", "cpu", "dtype", "torch", "float32", "the", "of", "on", "at", "a",
        "is", "and", "mean", "running", "total", "final", "best",
))  # fmt: skip
TOKEN = re.compile(
    r"(?P<clock>\d+:\d\d(?::\d\d)?(?:\.\d+)?|\d{4}-\d\d-\d\d)"
    r"|(?P<number>(?<![\w@.])[-+]?(?:\d+(?:,\d{3})+|\d+)?(?:\.\d+|\d\.|(?<=\d))(?:[eE][-+]?\d+)?(?![\w])|(?<!\w)[-+]?(?:nan|inf)(?!\w))"
    r"|(?P<word>[^\W\d][\w²]*)"
    r"|(?P<mark>.)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Reading:
    """A number in a line of output, with the words that belong to it."""

    value: float
    words: tuple[str, ...]
    percent: bool
    after_slash: bool  # the 50 of `3/50`
    line: int


@dataclass(slots=True)
class PrintedSeries:
    """Numbers that a script printed under the same words."""

    words: tuple[str, ...]
    kind: Kind
    part: Part
    values: list[float] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)  # of the output, from 0
    percent: bool = False

    @property
    def name(self) -> str:
        """As it was printed."""
        return " ".join(self.words)

    @property
    def shares(self) -> np.ndarray:
        """The values between 0 and 1: of percentages a hundredth."""
        values = np.asarray(self.values, dtype=np.float64)
        finite = values[np.isfinite(values)]
        hundred = self.percent or (len(finite) > 0 and 1.5 < finite.max() <= 100.5 and finite.min() >= 0)
        return values / 100 if hundred else values


class Printed:
    """What the lines of a script's output say."""

    def __init__(self, lines: list[str]) -> None:
        self._lines = lines

    @cached_property
    def series(self) -> list[PrintedSeries]:
        """All series, the longest first; counters such as the epoch's number are among them."""
        found: dict[tuple[object, ...], PrintedSeries] = {}
        header: list[tuple[str, ...]] = []
        for number, line in enumerate(self._lines):
            readings, words = readings_of(line, number)
            if not readings:
                header = [_split(word) for word in words] if len(words) > 1 else []
                continue
            self._add(found, _with_header(readings, header))
        return sorted(found.values(), key=lambda s: -len(s.values))

    def of(self, kind: Kind, part: Part | None = None, least: int = 1) -> list[PrintedSeries]:
        """The series of a kind, and of a part of the data where one is given, with at least so many numbers."""
        return [s for s in self.series if s.kind == kind and part in (None, s.part) and len(s.values) >= least]

    @staticmethod
    def _add(found: dict[tuple[object, ...], PrintedSeries], readings: list[Reading]) -> None:
        kinds, parts = _kinds(readings), _parts(readings)
        template = tuple(r.words for r in readings)
        for place, reading in enumerate(readings):
            key = (template, place)
            if key not in found:
                found[key] = PrintedSeries(reading.words, kinds[place], parts[place])
            series = found[key]
            series.values.append(reading.value)
            series.lines.append(reading.line)
            series.percent |= reading.percent


def readings_of(line: str, number: int = 0) -> tuple[list[Reading], list[str]]:
    """The numbers of a line with their words, and all words; nothing of a progress bar."""
    if "it/s" in line or "s/it" in line or re.search(r"\d+%\|", line):
        return [], []
    readings: list[Reading] = []
    waiting: list[str] = []
    every: list[str] = []
    slash = False
    for token in TOKEN.finditer(line):
        text = token.group()
        if token.lastgroup == "word":
            waiting.append(text)
            every.append(text)
            slash = False
        elif token.lastgroup == "number":
            words = tuple(part for word in waiting for part in _split(word) if part not in IDLE)
            readings.append(Reading(_number(text), words, False, slash, number))
            waiting = []
        elif text == "%" and readings and not waiting:  # of 17/20 the percentage follows
            readings[-1] = _percent(readings[-1])
        elif text in "|;\n":
            waiting = [] if text == "|" else waiting
        slash = text == "/" or (slash and text.isspace())
    return _shares_of_counts(readings), every


def _shares_of_counts(readings: list[Reading]) -> list[Reading]:
    """`accuracy 529/597` is a share, unlike `epoch 3/50`."""
    found = list(readings)
    for place in range(len(readings) - 1):
        part, whole = readings[place], readings[place + 1]
        if whole.after_slash and not whole.words and _kind(part) == "accuracy" and 0 <= part.value <= whole.value > 0:
            found[place] = Reading(part.value / whole.value, part.words, False, False, part.line)
    return found


def _percent(reading: Reading) -> Reading:
    return Reading(reading.value, reading.words, True, reading.after_slash, reading.line)


def _number(text: str) -> float:
    try:
        return float(text.replace(",", ""))
    except ValueError:
        return math.nan


def _split(word: str) -> tuple[str, ...]:
    """`val_loss` and `valLoss` as (val, loss)."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", word)
    return tuple(part for part in spaced.lower().split("_") if part)


def _with_header(readings: list[Reading], header: list[tuple[str, ...]]) -> list[Reading]:
    """Numbers without words take those of a table's head."""
    if len(header) != len(readings) or any(r.words for r in readings):
        return readings
    return [
        Reading(r.value, words, r.percent, r.after_slash, r.line) for r, words in zip(readings, header, strict=True)
    ]


def _kind(reading: Reading) -> Kind:
    if reading.after_slash:
        return "counter"
    for word in reversed(reading.words):
        for kind, names in KINDS.items():
            if word in names:
                return kind
    return ""


def _kinds(readings: list[Reading]) -> list[Kind]:
    """Of each number; one with only a part of the data as its words takes the kind of its like: `train 0.7 test acc 0.6`."""
    kinds = [_kind(r) for r in readings]
    for place, reading in enumerate(readings):
        if kinds[place] == "" and _part(reading):
            other = [
                k
                for r, k in zip(readings, kinds, strict=True)
                if _part(r) not in ("", _part(reading)) and k not in ("", "counter")
            ]
            if len(set(other)) == 1:
                kinds[place] = other[0]
    return kinds


def _part(reading: Reading) -> Part:
    for part, names in PARTS.items():
        if names & set(reading.words):
            return part
    return ""


def _parts(readings: list[Reading]) -> list[Part]:
    """Of each number; where a line tells of both parts, a number without takes that of the number before it."""
    own = [_part(r) for r in readings]
    if not {"train", "evaluation"} <= set(own):
        return own
    parts: list[Part] = []
    for place, part in enumerate(own):
        parts.append(part or (parts[place - 1] if place else ""))
    return parts
