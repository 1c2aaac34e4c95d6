"""The learning-rate range test as a figure: the loss while the rate rises, and the rate that is suggested."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from osler.reports.images import save_figure
from osler.reports.theme import LIGHT, SERIES, legend, new_axes, new_figure
from osler.training.range_test import RangeTest

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def save_range_test(found: RangeTest, path: Path) -> None:
    """Draws a range test into a file: PNG, SVG or PDF by its ending.

    Raises:
        RecipeError: the file's ending names no such format.
        OSError: the file cannot be written.
    """
    save_figure(range_test_figure(found), path, title="Learning-rate range test")


def range_test_figure(found: RangeTest) -> "Figure":
    """Loss over learning rate (logarithmic): of each batch, smoothed, and the suggested rate marked.

    Source: Smith 2017, "Cyclical Learning Rates for Training Neural Networks", section 3.3.
    """
    figure = new_figure(6.4, 3.4)
    xlabel, ylabel = "Learning rate (step size, logarithmic)", "Training loss (mean per picture)"
    axes = new_axes(figure, xlabel=xlabel, ylabel=ylabel, grid="both")
    axes.set_xscale("log")
    axes.plot(found.lrs, found.losses, color=LIGHT["faint"], linewidth=0.6, label="each batch")
    axes.plot(found.lrs, found.smoothed, color=SERIES[0], linewidth=1.8, label="smoothed")
    limit_height(axes, found.smoothed)
    finite = np.isfinite(found.smoothed)
    if finite.any():
        height = np.interp(np.log(found.suggestion), np.log(found.lrs[finite]), found.smoothed[finite])
        axes.axvline(found.suggestion, color=SERIES[1], linewidth=1.2, linestyle=(0, (4, 2)))
        label = f"suggested: {found.suggestion:.3g}"
        axes.plot([found.suggestion], [height], marker="o", color=SERIES[1], linestyle="", label=label)
    legend(axes, ncols=3)
    return figure


def limit_height(axes: "Axes", losses: Float[np.ndarray, " updates"]) -> None:
    """Keeps the explosion at the end from flattening all before it: up to the first loss plus the descent from it."""
    finite = losses[np.isfinite(losses)]
    if len(finite):
        low, first = float(finite.min()), float(finite[0])
        room = max(first - low, 0.05 * abs(first), 1e-6)
        axes.set_ylim(low - 0.15 * room, min(float(finite.max()), first + room) + 0.15 * room)
