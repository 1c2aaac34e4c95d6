"""What changed from epoch to epoch: loss, metrics, learning rate, speed."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from osler.reports.measures import axis_name, is_share, spell
from osler.reports.theme import LIGHT, SERIES, legend, new_axes, new_figure, plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

History = Sequence[Mapping[str, float]]
STEPS = 6  # a schedule of up to so many rates goes by steps
MARKED = 12  # up to so many points each is marked; a line of one point would not be seen otherwise


def series(history: History, key: str) -> tuple[Float[np.ndarray, " points"], Float[np.ndarray, " points"]]:
    """The epochs in which `key` was measured (a finite number), and its values."""
    rows = [(r.get("epoch", i + 1), r[key]) for i, r in enumerate(history) if np.isfinite(r.get(key, np.nan))]
    found = np.array(rows, dtype=np.float64).reshape(-1, 2)
    return found[:, 0], found[:, 1]


def loss_curve(history: History, *, best_epoch: int | None = None) -> "Figure":
    """Training loss (dashed) and validation loss by epoch."""
    figure = new_figure()
    axes = new_axes(figure, xlabel="Epoch", ylabel="Loss (mean per picture)")
    draw_series(axes, history, "train.loss", "training", colour=SERIES[0], dashed=True)
    draw_series(axes, history, "validation.loss", "validation", colour=SERIES[1], dashed=False)
    finish(axes, history, best_epoch)
    return figure


def loss_parts(history: History) -> list[str]:
    """The keys of a training loss's parts, the largest at first: "train.class_loss", "train.box_loss"; none of a plain loss."""
    keys = {key for row in history for key in row if key.startswith("train.") and key.endswith("_loss")}
    measured = {key: series(history, key)[1] for key in keys}
    return sorted((k for k, values in measured.items() if len(values)), key=lambda k: (-measured[k][0], k))


def loss_part_curves(history: History, *, best_epoch: int | None = None) -> "Figure":
    """The parts of a training loss by epoch, from zero."""
    figure = new_figure()
    axes = new_axes(figure, xlabel="Epoch", ylabel="Training loss, in parts")
    for i, key in enumerate(loss_parts(history)):
        name = key.removeprefix("train.").removesuffix("_loss").replace("_", " ")
        draw_series(axes, history, key, name, colour=SERIES[i % len(SERIES)], dashed=i >= len(SERIES))
    axes.set_ylim(bottom=0)
    finish(axes, history, best_epoch)
    return figure


def metric_curves(history: History, metrics: Sequence[str], *, best_epoch: int | None = None) -> "Figure":
    """Metrics that share a unit, by epoch, the first (the monitored one) strongest.

    Args:
        history: rows with "validation.<metric>", and "train.<metric>" where it was measured.
        metrics: one to four names without the split; several only if all are shares.
        best_epoch: marked with a vertical line.
    """
    figure = new_figure()
    share = is_share(metrics[0])
    name = axis_name(metrics[0]) if len(metrics) == 1 else "Share (%)"
    axes = new_axes(figure, xlabel="Epoch", ylabel=name)
    factor = 100.0 if share else 1.0
    train_too = len(metrics) == 1 and len(series(history, f"train.{metrics[0]}")[0])
    if train_too:
        draw_series(axes, history, f"train.{metrics[0]}", "training", colour=SERIES[0], dashed=True, factor=factor)
    colours = (SERIES[1], SERIES[0], SERIES[2], SERIES[3])
    for i, (metric, colour) in enumerate(zip(metrics, colours, strict=False)):
        label = "validation" if len(metrics) == 1 else spell(metric)
        draw_series(
            axes, history, f"validation.{metric}", label, colour=colour, factor=factor, width=1.8 if i == 0 else 1.1
        )
    if share:
        axes.set_ylim(top=min(axes.get_ylim()[1], 100.5))
    finish(axes, history, best_epoch)
    return figure


def rates(history: History) -> list[str]:
    """The keys of learning rates: "lr", or "lr.<group>" for each group of parameters."""
    keys = sorted({k for row in history for k in row if k == "lr" or k.startswith("lr.")})
    return [k for k in keys if len(series(history, k)[0])]


def learning_rate_curve(history: History) -> "Figure":
    """The learning rate of each group by epoch, from zero; logarithmic where a few steps span decades."""
    figure = new_figure()
    axes = new_axes(figure, xlabel="Epoch", ylabel="Learning rate (step size)")
    keys = rates(history)
    for key, colour in zip(keys, SERIES, strict=False):
        draw_series(axes, history, key, key.removeprefix("lr.") if key != "lr" else "", colour=colour)
    values = np.concatenate([series(history, key)[1] for key in keys])
    if len(history) > STEPS >= len(np.unique(values)) and values.min() > 0 and values.max() > 50 * values.min():
        axes.set_yscale("log")
    else:
        axes.set_ylim(bottom=0)
        axes.ticklabel_format(axis="y", style="sci", scilimits=(-3, 4))
        axes.yaxis.get_offset_text().set(fontsize=8.5, color=LIGHT["muted"])
    finish(axes, history, None)
    return figure


def speed_curve(history: History) -> "Figure":
    """Pictures per second in training, by epoch, from zero."""
    figure = new_figure()
    axes = new_axes(figure, xlabel="Epoch", ylabel="Speed (pictures per second)")
    draw_series(axes, history, "images_per_second", "", colour=SERIES[2])
    axes.set_ylim(bottom=0)
    finish(axes, history, None)
    return figure


def draw_series(
    axes: "Axes",
    history: History,
    key: str,
    label: str,
    *,
    colour: str,
    dashed: bool = False,
    factor: float = 1,
    width: float = 1.6,
) -> None:
    """One line, its points marked while they are few; nothing if `key` was never measured."""
    epochs, values = series(history, key)
    if len(epochs):
        axes.plot(
            epochs, factor * values, color=colour, linewidth=width, linestyle=(0, (4, 2)) if dashed else "-",
            marker="o" if len(epochs) <= MARKED else "", markersize=3.5, clip_on=False,
            label=plain(label) or "_unnamed",
        )  # fmt: skip


def finish(axes: "Axes", history: History, best_epoch: int | None) -> None:
    """Whole epochs on the axis, the best one marked, a legend where there is something to tell apart."""
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(nbins=7, integer=True))
    epochs = [r.get("epoch", i + 1) for i, r in enumerate(history)]
    if len(epochs) > 1:
        axes.set_xlim(min(epochs), max(epochs))
    elif epochs:
        axes.set_xlim(epochs[0] - 0.5, epochs[0] + 0.5)
        axes.set_xticks(epochs)
    if best_epoch is not None and len(epochs) > 1:
        axes.axvline(
            best_epoch, color=LIGHT["faint"], linewidth=0.9, linestyle=(0, (1, 2)), label="best epoch", zorder=1
        )
    lines = len(axes.get_legend_handles_labels()[0])
    legend(axes, ncols=4 if lines <= 4 else 3)
