"""The confusion matrix as a figure: legible for two classes and for a hundred."""

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Int

from osler.metrics.counts import ConfusionMatrix
from osler.reports.theme import LEVELS, LIGHT, new_axes, new_figure, plain, shorten

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAMED = 30  # up to so many classes each row and column has its name
LEAST, MARGIN, CELL = 2.6, 1.3, 0.36  # inches: of the smallest figure, around the cells, for each class
LETTERS = 14  # of a name on an axis for an inch
COUNTED = 20  # up to so many classes each cell has its count


def levels_of(counts: Int[np.ndarray, "classes classes"]) -> Int[np.ndarray, "classes classes"]:
    """Each cell's level of colour, 0 to 9, by its share of the true class; -1 where nothing was counted.

    The scale is the share's square root, so that one mistake in a hundred still shows beside a diagonal of ninety-nine.
    """
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    level = np.minimum((np.sqrt(share) * len(LEVELS)).astype(int), len(LEVELS) - 1)
    return np.where(counts > 0, level, -1)


def confusion_figure(matrix: ConfusionMatrix) -> "Figure":
    """The confusion matrix: a row for each true class, a column for each answer, coloured by share of the row.

    Cells without a picture stay blank. Up to 20 classes have counts in the cells, up to 30 names on the axes; more
    have numbers.
    """
    classes = len(matrix.names)
    size = 5.2 if classes > NAMED else min(max(LEAST, MARGIN + CELL * classes), 6.4)
    figure = new_figure(size, size + 0.55)
    figure.set_layout_engine("compressed")
    axes = new_axes(figure, xlabel="Predicted class", ylabel="True class", grid="")
    paint_cells(axes, levels_of(matrix.counts))
    if classes <= COUNTED:
        write_counts(axes, matrix.counts)
    name_classes(axes, matrix.names)
    axes.set(xlim=(-0.5, classes - 0.5), ylim=(classes - 0.5, -0.5), aspect="equal")
    axes.spines[["left", "bottom", "right", "top"]].set(visible=True, color=LIGHT["rule"], linewidth=0.6)
    draw_key(figure, axes)
    return figure


def paint_cells(axes: "Axes", level: Int[np.ndarray, "rows columns"]) -> None:
    """All cells of one level as one path: ten paths, however many classes."""
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    edge = 0.47 if len(level) <= NAMED else 0.5  # a gap between few cells, none between many
    corners = edge * np.array([[-1, -1], [1, -1], [1, 1], [-1, 1], [-1, -1]])
    codes = [Path.MOVETO, Path.LINETO, Path.LINETO, Path.LINETO, Path.CLOSEPOLY]
    for i, colour in enumerate(LEVELS):
        rows, columns = np.nonzero(level == i)
        if len(rows):
            vertices = (np.stack([columns, rows], axis=1)[:, None] + corners).reshape(-1, 2)
            axes.add_patch(PathPatch(Path(vertices, codes * len(rows)), facecolor=colour, linewidth=0))


def write_counts(axes: "Axes", counts: Int[np.ndarray, "classes classes"]) -> None:
    """The count in each cell that has one, in the ink that stands off the cell's colour on either ground."""
    level = levels_of(counts)
    size = 9 if len(counts) <= 12 else 7
    for row, column in zip(*np.nonzero(counts), strict=True):
        colour = LIGHT["ink"] if level[row, column] < len(LEVELS) // 2 else LIGHT["surface"]
        axes.text(column, row, f"{counts[row, column]:,}", ha="center", va="center", fontsize=size, color=colour)


def name_classes(axes: "Axes", names: tuple[str, ...]) -> None:
    """Class names on both axes while they fit, else the number of every tenth or so class."""
    classes = len(names)
    if classes > NAMED:
        step = next(s for s in (10, 20, 50, 100, 200, 500, 1000, classes) if classes / s <= 12)
        axes.set(xticks=range(0, classes, step), yticks=range(0, classes, step))
        axes.set(xlabel="Predicted class (number)", ylabel="True class (number)")
        return
    short = [plain(shorten(n)) for n in names]
    room = LETTERS * max((LEAST - MARGIN) / classes, CELL)
    upright = any(len(a) + len(b) > 2 * room for a, b in pairwise(short))
    axes.set_xticks(range(classes), short, rotation=90 if upright else 0)
    axes.set_yticks(range(classes), short)
    if classes > 12:
        axes.tick_params(labelsize=7)


def draw_key(figure: "Figure", axes: "Axes") -> None:
    """The scale of colours below the matrix, marked in per cent of the true class."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import BoundaryNorm, ListedColormap

    edges = np.linspace(0, 1, len(LEVELS) + 1)
    shown = ScalarMappable(BoundaryNorm(edges, len(LEVELS)), ListedColormap(LEVELS))
    key = figure.colorbar(shown, ax=axes, location="bottom", fraction=0.03, pad=0.04, aspect=40)
    shares = np.array([0, 1, 4, 16, 36, 64, 100])
    key.set_ticks(list(np.sqrt(shares / 100)), labels=[str(s) for s in shares])
    key.minorticks_off()
    key.set_label("Share of the true class (%)", fontsize=8.5, color=LIGHT["muted"])
    key.ax.tick_params(length=0, labelsize=8, labelcolor=LIGHT["muted"])
    key.outline.set_visible(False)
