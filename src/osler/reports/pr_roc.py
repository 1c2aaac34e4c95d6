"""Precision against recall, and true against false alarms, as the threshold moves; the weakest classes by name."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from osler.metrics.curves import Curve
from osler.reports.theme import LIGHT, SERIES, legend, new_axes, new_figure, plain, shorten

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

POINTS = 200  # of a mean curve: finer than a pixel of the page
NAMED = 3  # so many of the weakest classes are drawn in colour
SHORT = 13  # letters of a name of which two fit in a row of the legend
THREADS = 20  # up to so many other classes are drawn as threads; more would be a grey field


def precision_recall_figure(curves: Mapping[str, Curve]) -> "Figure":
    """Precision over recall, a curve by class name. The closer to the upper right corner, the better."""
    figure = new_figure(height=height_of(curves))
    axes = new_axes(
        figure, xlabel="Recall (% of the class that is found)", ylabel="Precision (% of answers that are right)"
    )
    draw_curves(axes, curves, "AP", step=True)
    return figure


def roc_figure(curves: Mapping[str, Curve]) -> "Figure":
    """True over false positive rate, with the line of pure chance. The closer to the upper left corner, the better."""
    figure = new_figure(height=height_of(curves))
    axes = new_axes(figure, xlabel="False positive rate (%)", ylabel="True positive rate (%)")
    axes.plot([0, 100], [0, 100], color=LIGHT["faint"], linewidth=0.9, linestyle=(0, (1, 2)))
    axes.text(62, 55, "chance", fontsize=8, color=LIGHT["muted"], rotation=0)
    draw_curves(axes, curves, "area", step=False)
    return figure


def draw_curves(axes: "Axes", curves: Mapping[str, Curve], area: str, *, step: bool) -> None:
    """One curve alone; of several the mean, the weakest in colour, the rest as threads while they can be told apart."""
    axes.set(xlim=(0, 100), ylim=(0, 102), xticks=range(0, 101, 20), yticks=range(0, 101, 20))
    order = sorted(curves, key=lambda name: curves[name].area)
    weakest, rest = order[:NAMED], order[NAMED:]
    if len(rest) <= THREADS:
        for name in rest:
            draw_one(axes, curves[name], "_rest", step=step, color=LIGHT["faint"], linewidth=0.5)
    short = short_names(curves)
    styles = ("-", (0, (5, 1.5)), (0, (1, 1)))
    for name, colour, style in zip(weakest, (SERIES[1], SERIES[2], SERIES[3]), styles, strict=False):
        label = f"{plain(shorten(name, SHORT if short else 40))} {curves[name].area:.3f}"
        draw_one(axes, curves[name], label, step=step, color=colour, linewidth=1.3, linestyle=style)
    if len(curves) > 1:
        label = f"mean of {len(curves)} {np.mean([c.area for c in curves.values()]):.3f}"
        x = np.linspace(0, 1, POINTS)
        height = np.mean([read(c, x, step=step) for c in curves.values()], axis=0)
        axes.plot(100 * x, 100 * height, label=label, color=SERIES[0], linewidth=2.2)
    legend(
        axes,
        ncols=2 if short else 1,
        title=f"{area}, weakest first" if len(curves) > 1 else area,
        alignment="left",
        title_fontsize=8,
    )
    axes.get_legend().get_title().set_color(LIGHT["muted"])  # type: ignore[union-attr]


def short_names(curves: Mapping[str, Curve]) -> bool:
    """Whether the names fit two to a row of the legend."""
    return all(len(name) <= SHORT for name in curves)


def height_of(curves: Mapping[str, Curve]) -> float:
    """Inches of a figure whose plot is as high whatever the legend's rows."""
    entries = min(len(curves), NAMED) + (len(curves) > 1)
    return 2.75 + 0.17 * (-(-entries // 2) if short_names(curves) else entries)


def draw_one(axes: "Axes", curve: Curve, label: str, *, step: bool, **style: object) -> None:
    """One curve, in per cent, without more points than a page can show."""
    shown = curve.thinned()
    drawn = "steps-pre" if step else "default"
    axes.plot(100 * shown.x, 100 * shown.y, label=label, drawstyle=drawn, **style)  # type: ignore[arg-type]


def read(curve: Curve, x: Float[np.ndarray, " points"], *, step: bool) -> Float[np.ndarray, " points"]:
    """The curve's height at `x`.

    ROC points are joined by lines (a mixture of two thresholds reaches all between them). Precision is not
    interpolated: to reach a recall one takes the first threshold that does, with its precision.
    """
    if not step:
        return np.interp(x, curve.x, curve.y)
    return curve.y[np.minimum(np.searchsorted(curve.x, x, side="left"), len(curve.x) - 1)]
