"""Whether a network that says "90 %" is right in nine of ten: the reliability diagram."""

from typing import TYPE_CHECKING

import numpy as np

from osler.metrics.calibration import Reliability
from osler.reports.theme import LIGHT, SERIES, dress, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def reliability_figure(found: Reliability, *, of: str = "answers") -> "Figure":
    """Share that is right against confidence, a point for each bin (its area by count), over a histogram of confidence.

    Above the diagonal the network is right more often than it says, below it is surer than it should be. `of` names
    what is counted ("pictures", "labels").
    """
    figure = new_figure(height=3.5)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3.2, 1))
    dress(upper, xlabel="", ylabel="Right (%)")
    dress(lower, xlabel="Confidence (%)", ylabel=f"{of.capitalize()} (%)")
    upper.plot([0, 100], [0, 100], color=LIGHT["faint"], linewidth=0.9, linestyle=(0, (1, 2)))
    filled = found.count > 0
    share = found.count / max(found.count.sum(), 1)
    x, y = 100 * found.confidence[filled], 100 * found.accuracy[filled]
    upper.vlines(x, np.minimum(x, y), np.maximum(x, y), color=SERIES[1], linewidth=1.4)
    upper.scatter(x, y, s=14 + 120 * share[filled], color=SERIES[0], zorder=3, linewidth=0, clip_on=False)
    upper.set(xlim=(0, 100), ylim=(0, 102), yticks=range(0, 101, 20))
    middle, width = 50 * (found.edges[1:] + found.edges[:-1]), 88 * np.diff(found.edges)
    lower.bar(middle, 100 * share, width=width, color=SERIES[0])
    return figure
