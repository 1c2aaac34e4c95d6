"""Pictures in rows, each with its caption below."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from osler.reports.content import Picture
from osler.reports.measures import percent
from osler.reports.theme import LIGHT, new_figure, plain, shorten

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def caption_of(picture: Picture) -> str:
    """A picture's caption in one line: its own, or truth and answer with the probability."""
    if picture.caption or not picture.predicted:
        return picture.caption or picture.true
    sure = "" if picture.probability is None else f", {percent(picture.probability, 0)}"
    truth = f"{picture.true} → " if picture.true and picture.true != picture.predicted else ""
    return f"{truth}{picture.predicted}{sure}"


def picture_grid(pictures: Sequence[Picture], *, columns: int = 6) -> "Figure":
    """The pictures as one figure, `columns` to a row."""
    from matplotlib.axes import Axes

    columns = max(1, min(columns, len(pictures)))
    rows = max(1, -(-len(pictures) // columns))
    figure = new_figure(1.35 * columns, 1.6 * rows)
    cells = figure.subplots(rows, columns, squeeze=False)
    axes: Axes
    for axes in cells.flat:
        axes.set_axis_off()
    for axes, picture in zip(cells.flat, pictures, strict=False):
        small = max(picture.image.shape[:2]) <= 64
        axes.imshow(picture.image, cmap="gray", vmin=0, vmax=255, interpolation="nearest" if small else "antialiased")
        axes.set_title(plain(shorten(caption_of(picture), 24)), fontsize=7, color=LIGHT["ink"], y=-0.02, va="top")
    return figure
