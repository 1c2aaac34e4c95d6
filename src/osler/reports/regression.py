"""Predicted numbers beside the true ones, and what is left over."""

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int

from osler.reports.theme import LIGHT, SERIES, dress, legend, new_axes, new_figure, shorten

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHOWN = 2000  # points of a scatter plot; of more, so many are drawn by lot with a fixed seed

Numbers = Float[np.ndarray, " samples"]


def by_lot(samples: int) -> Int[np.ndarray, " shown"]:
    """Which samples are drawn."""
    if samples <= SHOWN:
        return np.arange(samples)
    return np.sort(np.random.default_rng(0).choice(samples, SHOWN, replace=False))


def scatter_figure(true: Numbers, predicted: Numbers, name: str) -> "Figure":
    """Predicted against true, with the line on which both are equal."""
    figure = new_figure(height=3.4)
    label = shorten(name, 24)
    axes = new_axes(figure, xlabel=f"True {label}", ylabel=f"Predicted {label}", grid="both")
    shown = by_lot(len(true))
    ends = [min(true.min(), predicted.min()), max(true.max(), predicted.max())]
    axes.plot(ends, ends, color=LIGHT["muted"], linewidth=1, linestyle=(0, (4, 2)), label="predicted = true")
    axes.scatter(true[shown], predicted[shown], s=9, color=SERIES[0], alpha=0.5, linewidth=0)
    legend(axes)
    return figure


def residual_figure(true: Numbers, predicted: Numbers, name: str) -> "Figure":
    """Residuals against the prediction, with their histogram at the side.

    A cloud around zero without a shape is what one hopes for: a slope, a bend or a funnel is left to be learnt.
    """
    figure = new_figure(height=3.4)
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=(3.4, 1))
    dress(left, xlabel=f"Predicted {shorten(name, 24)}", ylabel="Residual (predicted - true)", grid="both")
    dress(right, xlabel="Pictures", ylabel="", grid="x")
    residual = predicted - true
    shown = by_lot(len(true))
    for axes in (left, right):
        axes.axhline(0, color=LIGHT["muted"], linewidth=1, linestyle=(0, (4, 2)))
    left.scatter(predicted[shown], residual[shown], s=9, color=SERIES[1], alpha=0.5, linewidth=0)
    reach = max(float(np.abs(residual).max()), 1e-6 * float(np.abs(true).max()), 1e-12)
    right.hist(residual, bins=25, range=(-reach, reach), orientation="horizontal", color=SERIES[1], rwidth=0.9)
    right.locator_params(axis="x", nbins=2, integer=True)
    return figure
