"""How the network learned: loss, metrics and learning rate by epoch."""

from osler.reports.content import ReportContent
from osler.reports.curves import (
    learning_rate_curve,
    loss_curve,
    loss_part_curves,
    loss_parts,
    metric_curves,
    rates,
    series,
)
from osler.reports.measures import is_share, number, sentence_case, spell, write_value
from osler.reports.sections.section import Drawing, Section, pair

BESIDE = ("f1", "top5", "map", "balanced_accuracy", "exact_match")  # metrics that say more beside the monitored one
TOGETHER = 3  # lines of one figure
ALONE = ("r2", "auc")  # metrics that have a figure of their own


def learning(content: ReportContent) -> Section | None:
    """The curves, where there is a history."""
    history, best = content.history, content.result.best_epoch
    drawings = []
    if len(series(history, "train.loss")[0]) or len(series(history, "validation.loss")[0]):
        drawings.append(Drawing("loss", loss_curve(history, best_epoch=best), "Loss", loss_note(content)))
    elif loss_parts(history):
        drawings.append(Drawing("loss", loss_part_curves(history, best_epoch=best), "Loss", parts_note(content)))
    drawings += [metric_drawing(content, group) for group in groups(content)]
    if rates(history):
        drawings.append(Drawing("learning_rate", learning_rate_curve(history), "Learning rate", rate_note(content)))
    if not drawings:
        return None
    lede = (
        "Loss should fall and level out. Training loss that falls on while validation loss rises means that "
        "the network learns its pictures by heart."
    )
    return Section("learning", "How it learned", lede, pair(*drawings), drawings)


def groups(content: ReportContent) -> list[list[str]]:
    """Which validation metrics share a figure: the monitored one with those of its unit; few others alone."""
    monitor, prefix = content.result.monitor, "validation."
    keys = dict.fromkeys(k.removeprefix(prefix) for row in content.history for k in row if k.startswith(prefix))
    measured = [k for k in keys if k != "loss" and len(series(content.history, prefix + k)[0])]
    first = monitor if monitor in measured else next(iter(measured), None)
    if first is None:
        return []
    beside = [m for m in BESIDE if m in measured and m != first] if is_share(first) else []
    return [[first, *beside][:TOGETHER], *([m] for m in ALONE if m in measured and m != first)]


def metric_drawing(content: ReportContent, group: list[str]) -> Drawing:
    """One figure of metrics; in words the first's best value, or its last where it chose nothing."""
    first, monitor = group[0], content.result.monitor
    epochs, values = series(content.history, f"validation.{first}")
    best = values.argmin() if content.result.direction == "min" else values.argmax()
    at = int(best) if first == monitor else len(values) - 1
    said = (
        f"{'Best' if first == monitor else 'Last'}: {write_value(first, float(values[at]))} in epoch {epochs[at]:.0f}."
    )
    figure = metric_curves(content.history, group, best_epoch=content.result.best_epoch)
    title = sentence_case(spell(first)) + (" on validation pictures" if len(group) > 1 else "")
    return Drawing(f"metric_{first}", figure, title, said)


def loss_note(content: ReportContent) -> str:
    """The lowest validation loss and the last training loss, as far as they were measured."""
    epochs, validation = series(content.history, "validation.loss")
    train = series(content.history, "train.loss")[1]
    ended = f"raining loss ended at {number(float(train[-1]))}" if len(train) else ""
    if not len(validation):
        return f"T{ended}; there were no validation pictures."
    lowest = int(validation.argmin())
    said = f"Validation loss was lowest in epoch {epochs[lowest]:.0f}: {number(float(validation[lowest]))}"
    return f"{said}; t{ended}." if ended else f"{said}."


def parts_note(content: ReportContent) -> str:
    """From where to where the sum of the parts went."""
    values = [series(content.history, key)[1] for key in loss_parts(content.history)]
    begin, end = (number(float(sum(v[at] for v in values))) for at in (0, -1))
    return f"Together {begin} in the first epoch, {end} in the last."


def rate_note(content: ReportContent) -> str:
    """Where the learning rate began, peaked and ended."""
    values = series(content.history, rates(content.history)[0])[1]
    begin, peak, end = (number(float(v)) for v in (values[0], values.max(), values[-1]))
    if values.min() == values.max():
        return f"Constant at {begin}."
    return f"From {begin} to {end}." if peak in (begin, end) else f"From {begin} over {peak} to {end}."
