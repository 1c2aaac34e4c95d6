"""The learning-rate range test as a figure: the loss while the rate rises, and the rate that is suggested."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from osler.reports.theme import LIGHT, SERIES, legend, new_axes, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def range_test_figure(
    rates: Sequence[float],
    losses: Sequence[float],
    *,
    suggested: float | None = None,
    raw: Sequence[float] | None = None,
) -> "Figure":
    """Smoothed loss over learning rate (logarithmic), the suggested rate marked.

    Args:
        rates: learning rates, rising, above 0.
        losses: the smoothed loss at each.
        suggested: the learning rate to mark, if one was found.
        raw: the losses before smoothing, drawn faintly.

    Source: Smith 2017, "Cyclical Learning Rates for Training Neural Networks", section 3.3.
    """
    figure = new_figure(6.4, 3.6)
    axes = new_axes(
        figure, xlabel="Learning rate (step size, logarithmic)", ylabel="Training loss (mean per picture)", grid="both"
    )
    axes.set_xscale("log")
    axes.grid(which="minor", visible=False)
    if raw is not None:
        axes.plot(rates, raw, color=LIGHT["faint"], linewidth=0.6, label="loss of each batch")
    axes.plot(rates, losses, color=SERIES[0], linewidth=1.8, label="smoothed")
    limit_height(axes, np.asarray(losses, dtype=np.float64))
    if suggested is not None:
        height = float(np.interp(np.log(suggested), np.log(rates), losses))
        axes.axvline(suggested, color=SERIES[1], linewidth=1.2, linestyle=(0, (4, 2)))
        axes.plot([suggested], [height], marker="o", color=SERIES[1], linestyle="", label=f"suggested: {suggested:.3g}")
    legend(axes, ncols=3)
    return figure


def limit_height(axes: "Axes", losses: Float[np.ndarray, " rates"]) -> None:
    """Keeps the explosion at the end from flattening all before it: up to the first loss plus the descent from it."""
    finite = losses[np.isfinite(losses)]
    if len(finite):
        low, first = float(finite.min()), float(finite[0])
        room = max(first - low, 0.05 * abs(first), 1e-6)
        axes.set_ylim(low - 0.15 * room, min(float(finite.max()), first + room) + 0.15 * room)
