"""Pictures in rows, each with its caption below."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from osler.reports.content import Picture
from osler.reports.images import CRISP
from osler.reports.measures import percent
from osler.reports.theme import LIGHT, new_figure, plain, shorten

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def caption_lines(picture: Picture) -> list[str]:
    """A picture's caption: its own, or the answer, the truth where it differs, and how sure the network is."""
    if picture.caption or not picture.predicted:
        return [picture.caption or picture.true]
    lines = [picture.predicted]
    if picture.true and picture.true != picture.predicted:
        lines.append(f"truly {picture.true}")
    if picture.probability is not None:
        lines.append(f"{percent(picture.probability)} sure")
    return lines


def picture_grid(pictures: Sequence[Picture], *, columns: int = 6) -> "Figure":
    """The pictures as one figure, `columns` to a row; small ones are enlarged without smoothing."""
    columns = max(1, min(columns, len(pictures)))
    rows = max(1, -(-len(pictures) // columns))
    figure = new_figure(1.4 * columns, 1.85 * rows)
    cells = figure.subplots(rows, columns, squeeze=False).flat
    for axes in cells:
        axes.spines[:].set_visible(False)
        axes.set(xticks=[], yticks=[], facecolor="none")
    for axes, picture in zip(cells, pictures, strict=False):
        small = max(picture.image.shape[:2]) <= CRISP
        axes.imshow(picture.image, cmap="gray", vmin=0, vmax=255, interpolation="nearest" if small else "antialiased")
        caption = "\n".join(plain(shorten(line, 22)) for line in caption_lines(picture))
        axes.set_xlabel(caption, fontsize=7, color=LIGHT["ink"], loc="left")
    return figure
