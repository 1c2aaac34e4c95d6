"""The objects that a detector is taught, read: one table of boxes for each part, the way they are meant, and corners in pixels."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Int

from osler.doctor import thresholds
from osler.doctor.box_reading import BoxReading, boxes_line
from osler.doctor.fault import NotSeen
from osler.doctor.script_reading import ScriptReading
from osler.structures.finding import Where
from osler.vitals.evidence import Evidence, Moment, ObjectsSeen, PictureObjects

Layout = Literal["corners", "sized", "centred"]
WORDS: dict[Layout, str] = {
    "corners": "x1, y1, x2, y2",
    "sized": "x, y, width, height",
    "centred": "middle x, middle y, width, height",
}
KNOWN_READERS = ("torchvision.models.detection.", "osler.models.detection.")
Corners = Float[np.ndarray, "objects 4"]


@dataclass(frozen=True)
class Table:
    """The objects of some pictures, one row each; padding is left out."""

    values: Float[np.ndarray, "objects 4"]  # as the program has them
    sizes: Float[np.ndarray, "objects 2"]  # width, height of each object's picture; NaN where it was not seen
    labels: Int[np.ndarray, " objects"] | None
    counted: Bool[np.ndarray, " objects"]
    picture: Int[np.ndarray, " objects"]
    mask_boxes: Float[np.ndarray, "objects 4"] | None
    pictures: Sequence[PictureObjects]

    def __len__(self) -> int:
        return len(self.values)

    def example(self, row: int) -> str:
        """A box in its picture, for the person."""
        shown = ", ".join(f"{v:.4g}" for v in self.values[row])
        width, height = self.sizes[row]
        size = f", which is {width:g} x {height:g} pixels" if np.isfinite(width) else ""
        return f"({shown}) in {self.pictures[self.picture[row]].name}{size}"


@dataclass(frozen=True, slots=True)
class Form:
    """How the numbers of a box are meant."""

    layout: Layout
    shares: bool  # of the picture's sides, in place of pixels
    sure: bool = True  # whether the numbers bear it out; else what the numbers of a single box say may be mistaken

    def __str__(self) -> str:
        return WORDS[self.layout] + (" in shares of the picture" if self.shares else " in pixels")


class ObjectsRead:
    """What is known of the objects, derived once for all checks."""

    def __init__(self, evidence: Evidence, script: ScriptReading) -> None:
        seen: ObjectsSeen | None = getattr(
            evidence, "objects", None
        )  # evidence kept before there were objects has none
        if seen is None or not seen.pictures:
            raise NotSeen("no boxes of objects were seen")
        self.seen, self._script, self._evidence = seen, script, evidence

    @cached_property
    def train(self) -> Table:
        """What the network was taught: what it was called with where that was seen, else what the loader gave."""
        return self._of("train")

    @cached_property
    def evaluate(self) -> Table:
        """What was held out, as the loader gave it."""
        return self._of("evaluate")

    @property
    def annotated(self) -> int:
        """How many objects the data hold, those that the reader left out apart."""
        return self.seen.annotated or len(self.train)

    @cached_property
    def form(self) -> Form:
        """The way in which the training boxes are written, by what fits their pictures."""
        return form_of(self.train, rows=self.seen.form == "rows")

    @property
    def readable(self) -> bool:
        """Whether it is clear how the boxes are meant, and they are read so: only then a single box can be wrong."""
        known = self.form.sure or self.reader is not None
        return known and self.misread is None and self.mixed is None

    @cached_property
    def reader(self) -> str | None:
        """Why it is known that the network takes corners in pixels; None where it is not."""
        if self.seen.form == "data":
            return "the detector reads"
        reading = BoxReading(self._script)
        by_call = any(p.by == "call" for p in self.train.pictures)
        known = sorted(c for c in self.seen.consumers if c.startswith(KNOWN_READERS))
        if known and not by_call and (reading.converts or reading.sizes):
            return None  # what the loader gave may be changed on its way to the network
        return f"{known[0].rpartition('.')[2]} reads" if known else None

    @cached_property
    def reads_corners(self) -> str | None:
        """Why it is known that boxes are read as corners, in pixels or not."""
        if self.reader is not None:
            return self.reader
        rows = self.seen.form == "rows"  # of middles and sizes by custom, and turned into anything before they are used
        return "this program's own code reads" if not rows and BoxReading(self._script).corners else None

    @cached_property
    def misread(self) -> str | None:
        """What is wrong with the boxes' format as a whole, in a few words; other checks of boxes are then silent."""
        if self.reads_corners and self.form.layout != "corners":
            return f"{self.form}, and {self.reads_corners} {WORDS['corners']}"
        if self.reader and self.form.shares:
            return f"{self.form}, and {self.reader} pixels"
        return None

    @cached_property
    def mixed(self) -> Bool[np.ndarray, " pictures"] | None:
        """Which pictures' boxes are shares while others' are pixels; None where all are alike."""
        held = [p for p in self.train.pictures if len(p.boxes) and np.any(p.boxes > 0)]
        small = np.array([bool(np.all(p.boxes <= thresholds.SHARE_LIMIT)) for p in held])
        large = np.array([p.boxes.max() >= thresholds.PIXELS_FROM for p in held])
        return small if len(held) and small.any() and large.any() and np.all(small | large) else None

    @cached_property
    def corners(self) -> Corners:
        """The training boxes as x1, y1, x2, y2 in pixels; NaN where they are shares of pictures that were not seen."""
        return corners_of(self.train, self.form)

    def where(self) -> Where:
        """The line at which targets get their boxes, else that of the loader."""
        line = boxes_line(self._script)
        if line is not None and self.seen.form == "dictionaries":
            return Where(self._evidence.script or None, line)
        site = self.seen.site
        return Where(site.file, site.line) if site is not None else Where(self._evidence.script or None)

    def named(self, label: int) -> str:
        """A class for the person."""
        return self.seen.names[label] if 0 <= label < len(self.seen.names) else f"class {label}"

    def _of(self, moment: Moment) -> Table:
        pictures = [p for p in self.seen.pictures if p.moment == moment]
        called = [p for p in pictures if p.by == "call"]
        return _table(called or pictures)

    @cached_property
    def by_loader(self) -> tuple[Table, Table]:
        """What loaders gave to training and to evaluation: numbered alike, whatever the program makes of it later."""
        given = [p for p in self.seen.pictures if p.by != "call"]
        train, evaluate = ([p for p in given if p.moment == m] for m in ("train", "evaluate"))
        return _table(train), _table(evaluate)


def _table(pictures: Sequence[PictureObjects]) -> Table:
    boxes = np.concatenate([np.zeros((0, 4)), *(p.boxes for p in pictures)])
    counts = [len(p.boxes) for p in pictures]
    sides = [(np.nan, np.nan) if p.size is None else (p.size[1], p.size[0]) for p in pictures]
    labels = [p.labels if p.labels is not None else np.full(len(p.boxes), -2) for p in pictures if len(p.boxes)]
    every = np.concatenate([np.zeros(0, np.int64), *labels])
    masks = [p.mask_boxes if p.mask_boxes is not None else np.full((len(p.boxes), 4), -1.0) for p in pictures]
    padding = np.all((boxes == 0) | (boxes == -1), axis=1) | (every == -1)
    kept = ~padding
    return Table(
        boxes[kept],
        np.repeat(np.array(sides, np.float64).reshape(-1, 2), counts, axis=0)[kept],
        every[kept] if len(every) and every.min() > -2 else None,
        np.concatenate([np.zeros(0, bool), *(p.counted for p in pictures)])[kept],
        np.repeat(np.arange(len(pictures)), counts)[kept],
        np.concatenate([np.zeros((0, 4)), *masks])[kept] if any(p.mask_boxes is not None for p in pictures) else None,
        pictures,
    )


def form_of(table: Table, *, rows: bool) -> Form:
    """The layout and unit that fit. Dictionaries are taken for corners, and rows for middles, unless that cannot be."""
    finite = np.isfinite(table.values).all(axis=1)
    values, sizes = table.values[finite], table.sizes[finite]
    shares = len(values) > 0 and float(np.mean(np.all(values <= thresholds.SHARES_UNDER, axis=1))) > 0.95
    usual: Layout = "centred" if rows and shares else "corners"
    pixels = values * np.tile(sizes, 2) if shares else values
    if shares and not np.isfinite(sizes).all():
        sizes, pixels = np.ones_like(sizes) * 1000, values * 1000
    known = np.isfinite(sizes).all(axis=1)
    pixels, sizes = pixels[known], sizes[known]
    ordered = float(np.mean(np.all(pixels[:, 2:] > pixels[:, :2], axis=1))) if len(pixels) else 0.0
    if len(pixels) < thresholds.BOXES_ENOUGH:
        return Form(usual, shares, sure=usual == "corners" and ordered == 1)
    fits = {layout: _fit(pixels, sizes, layout) for layout in WORDS}
    if usual == "corners" and ordered >= thresholds.CORNERS_ORDERED:
        return Form("corners", shares)
    if fits[usual] >= thresholds.FORMAT_FAILS:
        return Form(usual, shares)
    best = max(fits, key=lambda layout: fits[layout])
    if fits[best] >= thresholds.FORMAT_FITS:
        return Form(best, shares)
    others = max(fit for layout, fit in fits.items() if layout != usual)
    half = ordered >= 0.5 and usual == "corners"  # of sizes and positions at random a quarter is
    return Form(usual, shares, sure=half or others < thresholds.FORMAT_FAILS)


def _fit(pixels: Corners, sizes: Float[np.ndarray, "objects 2"], layout: Layout) -> float:
    """The share of boxes that have an area and lie in their pictures if read that way."""
    corners = _from(pixels, layout)
    slack = np.maximum(thresholds.EDGE_PIXELS, thresholds.EDGE_SHARE * sizes)
    inside = np.all((corners[:, :2] >= -slack) & (corners[:, 2:] <= sizes + slack), axis=1)
    return float(np.mean(inside & np.all(corners[:, 2:] > corners[:, :2], axis=1)))


def _from(values: Corners, layout: Layout) -> Corners:
    first, second = values[:, :2], values[:, 2:]
    if layout == "sized":
        return np.concatenate([first, first + second], axis=1)
    return np.concatenate([first - second / 2, first + second / 2], axis=1) if layout == "centred" else values


def corners_of(table: Table, form: Form) -> Corners:
    """Boxes as corners in pixels."""
    return _from(table.values * np.tile(table.sizes, 2) if form.shares else table.values, form.layout)
