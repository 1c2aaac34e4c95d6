"""Figures and pictures as the bytes that a page or a folder holds: themed SVG, PNG, data addresses."""

import base64
import io
import re
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from jaxtyping import UInt8

from osler.reports.html import Html
from osler.reports.theme import LIGHT, plain
from osler.structures.errors import RecipeError
from osler.structures.files import write_whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure

THUMBNAIL = 280  # pixels of a picture's longer side in the page
FORMATS = ("png", "svg", "pdf")
TITLE = 0.36  # inches of the line above a figure that stands alone
CRISP = 64  # below so many pixels a picture is kept loss-free and enlarged without smoothing


def svg(figure: "Figure", name: str, description: str, *, cut: bool = False) -> Html:
    """The figure as inline SVG: its palette becomes CSS variables, its text stays text in the page's font.

    Args:
        name: unique in the page; makes the identifiers inside unique too.
        description: what a reader who cannot see the figure should know.
        cut: leave out the empty margins, which axes of a fixed shape leave.
    """
    import matplotlib

    out = io.StringIO()
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": name}), quiet_about_glyphs():
        figure.savefig(out, format="svg", metadata=nothing, facecolor="none", bbox_inches="tight" if cut else None)
    figure.set_layout_engine("none")  # laid out once: the PNG has its parts in the same places
    drawing = out.getvalue()
    drawing = drawing[drawing.index("<svg") :]
    drawing = re.sub(r"<style.*?</style>", "", drawing, flags=re.DOTALL)
    drawing = re.sub(r"font-family: [^;\"]*;? ?", "", drawing)
    used = set(re.findall(r"#([\w.]+)", drawing))
    drawing = re.sub(r' id="([^"]*)"', lambda m: m[0] if m[1] in used else "", drawing)
    for variable, colour in LIGHT.items():
        drawing = drawing.replace(colour, f"var(--{variable})")
    viewbox = re.search(r'viewBox="[^"]*"', drawing)
    assert viewbox
    label = re.sub(r"[<>&\"]", lambda m: f"&#{ord(m[0])};", description)
    return Html(
        re.sub(r"<svg[^>]*>", lambda _: f'<svg {viewbox[0]} role="img" aria-label="{label}">', drawing, count=1)
    )


def save_figure(figure: "Figure", path: Path, *, title: str = "", dots_per_inch: int = 160) -> None:
    """Writes the figure on white, with its title above it since it stands alone; whole or not at all.

    Args:
        figure: any figure of this floor; it is changed by the title.
        path: ends in .png, .svg or .pdf.
        title: none if empty.
        dots_per_inch: of a PNG.

    Raises:
        RecipeError: another ending.
        OSError: the file cannot be written.
    """
    kind = path.suffix.lower().removeprefix(".")
    if kind not in FORMATS:
        raise RecipeError(f"A figure is written as .{', .'.join(FORMATS)}; given {path.name!r}.")
    if title:
        entitle(figure, title)
    out = io.BytesIO()
    with quiet_about_glyphs():
        figure.savefig(out, format=kind, dpi=dots_per_inch, facecolor=LIGHT["surface"])
    write_whole(path, lambda file: file.write(out.getbuffer()))


def entitle(figure: "Figure", title: str) -> None:
    """Makes the figure higher by a line and writes the title there; all else stays as it was laid out."""
    if (engine := figure.get_layout_engine()) is not None:
        engine.execute(figure)
    figure.set_layout_engine("none")
    before = figure.get_figheight()
    height = before + TITLE
    figure.set_figheight(height)
    for axes in figure.axes:
        x, y, w, h = axes.get_position(original=True).bounds
        axes.set_position((x, y * before / height, w, h * before / height))
    left, top = 0.1 / figure.get_figwidth(), 1 - 0.1 / height
    figure.text(left, top, plain(title), va="top", ha="left", fontsize=10, weight="bold", color=LIGHT["ink"])


def quiet_about_glyphs() -> warnings.catch_warnings:
    """No warning for names in scripts that matplotlib's font lacks: the page shows them in the reader's fonts."""

    class Quiet(warnings.catch_warnings):
        def __enter__(self) -> None:
            super().__enter__()
            warnings.filterwarnings("ignore", message="Glyph .* missing from")

    return Quiet()


def thumbnail(
    image: UInt8[np.ndarray, "height width 3"] | UInt8[np.ndarray, "height width"], side: int = THUMBNAIL
) -> tuple[str, int, int]:
    """A picture as a data address for an `img`, with its width and height in pixels; reduced to `side` at most."""
    height, width = image.shape[:2]
    scale = min(1.0, side / max(height, width))
    if scale < 1:
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    pixels = image[..., ::-1] if image.ndim == 3 else image  # OpenCV writes blue first
    small = max(image.shape[:2]) <= CRISP
    kind, options = ("png", []) if small else ("jpeg", [cv2.IMWRITE_JPEG_QUALITY, 85])
    done, data = cv2.imencode(f".{kind}", np.ascontiguousarray(pixels), options)
    assert done
    return f"data:image/{kind};base64,{base64.b64encode(data.tobytes()).decode()}", image.shape[1], image.shape[0]
