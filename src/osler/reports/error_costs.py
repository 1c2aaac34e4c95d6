"""What each kind of a detector's errors costs, as bars."""

from typing import TYPE_CHECKING

from osler.metrics.detection_errors import DetectionErrors
from osler.reports.theme import LIGHT, SERIES, new_axes, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

THICK = 0.62  # of a bar, in rows


def error_costs_figure(errors: DetectionErrors) -> "Figure":
    """A bar for each kind of error, the costliest on top; its length is the AP gained were that kind put right."""
    kinds = sorted(errors.costs, key=lambda kind: -errors.costs[kind])
    points = [100 * errors.costs[kind] for kind in kinds]
    figure = new_figure(height=2.45)
    axes = new_axes(figure, xlabel="AP at IoU 0.5 gained were it put right (points)", ylabel="", grid="x")
    axes.barh(range(len(kinds)), points, height=THICK, color=SERIES[0])
    most = max([*points, 1.0])
    for row, value in enumerate(points):
        axes.text(value + most / 60, row, f"{value:.1f}", va="center", fontsize=8.5, color=LIGHT["ink"])
    axes.set_yticks(range(len(kinds)), [kind.capitalize() for kind in kinds])
    axes.set(xlim=(0, 1.16 * most), ylim=(len(kinds) - 0.5, -0.5))
    axes.spines["bottom"].set_visible(False)
    return figure
