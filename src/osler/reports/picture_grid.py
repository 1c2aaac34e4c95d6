"""Pictures in rows, each with its caption below."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from osler.reports.content import Picture
from osler.reports.images import CRISP
from osler.reports.measures import percent
from osler.reports.theme import LIGHT, new_figure, plain, shorten

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

GAP = 0.07  # between pictures, in widths
LINE = 0.14  # of a caption, in inches
LETTERS = 16  # of a caption's line, in an inch


def caption_lines(picture: Picture) -> list[str]:
    """A picture's caption: its own, or the answer, the truth where it differs, and how sure the network is."""
    if picture.caption or not picture.predicted:
        return (picture.caption or picture.true).splitlines()
    lines = [picture.predicted]
    if picture.true and picture.true != picture.predicted:
        lines.append(f"truly {picture.true}")
    if picture.probability is not None:
        lines.append(f"{percent(picture.probability)} sure")
    return lines


def picture_grid(pictures: Sequence[Picture], *, columns: int = 6, inches: float = 1.4) -> "Figure":
    """The pictures as one figure, `columns` of `inches` to a row; small ones are enlarged without smoothing."""
    columns = max(1, min(columns, len(pictures)))
    rows = max(1, -(-len(pictures) // columns))
    line = LINE / inches
    cell = height_of_cell(pictures, line)
    figure = new_figure(inches * columns, inches * cell * rows)
    figure.set_layout_engine("none")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    for i, picture in enumerate(pictures):
        left, top = i % columns, cell * (i // columns)
        place(axes, picture, left + GAP / 2, top, 1 - GAP)
        caption = "\n".join(plain(shorten(text, round(LETTERS * inches))) for text in caption_lines(picture))
        below = top + 1 - GAP + 0.4 * line
        axes.text(left + GAP / 2, below, caption, fontsize=7, color=LIGHT["ink"], va="top", linespacing=1.3)
    axes.set(xlim=(0, columns), ylim=(cell * rows, 0), aspect="equal")
    return figure


def height_of_cell(pictures: Sequence[Picture], line: float) -> float:
    """The height of a picture with the longest of the captions, in widths; `line`: that of a caption's line."""
    lines = max((len(caption_lines(p)) for p in pictures), default=0)
    return 1 + (line * (lines + 0.6) if lines else 0)


def place(axes: "Axes", picture: Picture, left: float, top: float, side: float) -> None:
    """One picture in the middle of a square. That all share one set of axes keeps this quick."""
    height, width = picture.image.shape[:2]
    w, h = side * width / max(height, width), side * height / max(height, width)
    x, y = left + (side - w) / 2, top + (side - h) / 2
    smoothing = "nearest" if max(height, width) <= CRISP else "antialiased"
    extent = (x, x + w, y + h, y)
    axes.imshow(picture.image, cmap="gray", vmin=0, vmax=255, interpolation=smoothing, extent=extent)
