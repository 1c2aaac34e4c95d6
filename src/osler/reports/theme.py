"""The look of figures and page: one palette by name, light and dark, safe for colour-blind readers; axes in that look.

Series colours are those of Okabe & Ito (2008, "Color Universal Design"), ordered so that each stands off its ground;
matrices are cividis (Nuñez, Anderton & Renslow 2018), running from pale to dark on light ground and the other way on
dark ground, so that more always means more contrast.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# cividis at ten equal steps from its bright end; the first three are thinned with white: a lone mistake whispers.
LEVELS = ("#fff292", "#ebda7e", "#ccbd76", "#aaa073", "#918b78", "#777777", "#60646f", "#47516c", "#2a3f6d", "#002d68")
# The same for dark ground, from its dark end, which is lifted off the ground.
DARK_LEVELS = (
    "#10305f",
    "#2a3f6d",
    "#414d6b",
    "#575d6d",
    "#6c6e72",
    "#83807a",
    "#9e957a",
    "#bcae6d",
    "#dcc95b",
    "#fee838",
)

LIGHT = {
    "ink": "#1b2128",
    "muted": "#5b6671",
    "faint": "#98a2ad",
    "rule": "#e1e5e9",
    "surface": "#ffffff",
    "series-1": "#0072b2",
    "series-2": "#d55e00",
    "series-3": "#009e73",
    "series-4": "#cc79a7",
    **{f"level-{i}": colour for i, colour in enumerate(LEVELS)},
}
DARK = {
    "ink": "#e9ecef",
    "muted": "#a5afba",
    "faint": "#6d7883",
    "rule": "#2c333b",
    "surface": "#15191e",
    "series-1": "#56b4e9",
    "series-2": "#e69f00",
    "series-3": "#0ab587",
    "series-4": "#d88fb8",
    **{f"level-{i}": colour for i, colour in enumerate(DARK_LEVELS)},
}
SERIES = tuple(LIGHT[f"series-{i}"] for i in range(1, 5))

WIDTH, HEIGHT = 3.9, 2.75  # inches of a figure that stands two to a row on a desk and alone on a phone


def css_variables() -> str:
    """The palette as CSS: light, and dark where the reader's system says so."""
    light, dark = ("".join(f"--{k}:{v};" for k, v in palette.items()) for palette in (LIGHT, DARK))
    return f":root{{{light}}}@media(prefers-color-scheme:dark){{:root{{{dark}}}}}"


def new_figure(width: float = WIDTH, height: float = HEIGHT) -> "Figure":
    """An empty figure, sizes in inches, that keeps clear of `pyplot` and its global state."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained", facecolor="none")


def new_axes(figure: "Figure", *, xlabel: str, ylabel: str, grid: str = "y", **subplot: Any) -> "Axes":
    """Axes in the house's look: two hairline spines, a faint grid, names in muted ink."""
    axes: Axes = figure.subplots(**subplot)
    dress(axes, xlabel=xlabel, ylabel=ylabel, grid=grid)
    return axes


def dress(axes: "Axes", *, xlabel: str, ylabel: str, grid: str = "y") -> None:
    """Gives axes the house's look. `grid` is "x", "y", "both" or "" (none)."""
    axes.set_facecolor("none")
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set(color=LIGHT["faint"], linewidth=0.6)
    axes.tick_params(which="both", length=0, pad=4, labelsize=8.5, labelcolor=LIGHT["muted"], color=LIGHT["faint"])
    axes.set_xlabel(plain(xlabel), fontsize=9, color=LIGHT["muted"], labelpad=5)
    axes.set_ylabel(plain(ylabel), fontsize=9, color=LIGHT["muted"], labelpad=5)
    axes.set_axisbelow(True)
    if grid:
        axes.grid(axis=grid, color=LIGHT["rule"], linewidth=0.6)  # type: ignore[arg-type]


def legend(axes: "Axes", **options: Any) -> None:
    """A legend without a frame, in a row above the plot, where it hides nothing."""
    handles, labels = axes.get_legend_handles_labels()
    if handles:
        settings = {"loc": "lower left", "bbox_to_anchor": (0, 1), "ncols": 2, **options}
        axes.legend(
            handles, labels, frameon=False, fontsize=8.5, labelcolor=LIGHT["ink"], borderaxespad=0.2, borderpad=0.2,
            handlelength=1.6, columnspacing=1.4, **settings,
        )  # fmt: skip


def plain(text: str) -> str:
    """Text that matplotlib prints as it is, with no dollar taken for mathematics."""
    return text.replace("$", r"\$")


def shorten(name: str, length: int = 18) -> str:
    """A name of at most `length` characters, an ellipsis in the place of its middle; on one line."""
    name = " ".join(name.split())
    if len(name) <= length:
        return name
    head = (length - 1 + 1) // 2
    return f"{name[:head].rstrip()}…{name[len(name) - (length - 1 - head) :].lstrip()}"
