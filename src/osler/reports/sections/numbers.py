"""Numbers from pictures: how near each comes to the truth, and what is left over."""

import numpy as np

from osler.metrics.regression import RegressionScores
from osler.reports.content import ReportContent
from osler.reports.html import Html, table
from osler.reports.measures import number
from osler.reports.regression import SHOWN, residual_figure, scatter_figure
from osler.reports.sections.section import Drawing, Section, block, pair

DRAWN = 4  # numbers with figures of their own; all are in the table


def scores_of(content: ReportContent) -> RegressionScores | None:
    """What the studied split's outcome gives, where there is one with pictures."""
    outcome = content.result.outcomes.get(content.studied or "")
    if outcome is None or not len(outcome.indices):
        return None
    rows = len(outcome.indices)
    predicted, true = (np.asarray(v).reshape(rows, -1) for v in (outcome.predictions, outcome.targets))
    return RegressionScores(predicted, true, content.subject.names)


def fits(content: ReportContent) -> Section | None:
    """Scatter and residuals of each number, and the table of errors."""
    scores = scores_of(content)
    if scores is None:
        return None
    drawings = [d for i in range(min(DRAWN, len(scores.names))) for d in drawings_of(scores, i)]
    lede = (
        f"On the {content.studied} pictures. Points on the dashed line are right; residuals should scatter around zero "
        "without a shape."
    )
    return Section("fit", "How near it comes", lede, block(pair(*drawings), errors(scores)), drawings)


def drawings_of(scores: RegressionScores, index: int) -> list[Drawing]:
    """The two figures of one number."""
    name, true, predicted = scores.names[index], scores.targets[:, index], scores.predictions[:, index]
    many = len(true)
    note = (
        f"{SHOWN:,} of {many:,} pictures, drawn by lot." if many > SHOWN else f"Each of {many:,} pictures is a point."
    )
    tail = "" if len(scores.names) == 1 else f"_{index}"
    over = "Above zero the network says too much, below too little."
    return [
        Drawing(f"scatter{tail}", scatter_figure(true, predicted, name), f"{name}: predicted and true", note),
        Drawing(f"residuals{tail}", residual_figure(true, predicted, name), f"{name}: what is left over", over),
    ]


def errors(scores: RegressionScores) -> Html:
    """The table of errors, each in its number's own unit."""
    bias = (scores.predictions - scores.targets).mean(axis=0)
    keys = ("mae", "rmse", "median_absolute_error", "r2")
    rows: list[list[object]] = [
        [row["name"], *(number(float(row[k])) for k in keys), number(float(off))]
        for row, off in zip(scores.per_output(), bias, strict=True)
    ]
    heads = ["Number", "Mean absolute error", "Root mean square error", "Median absolute error", "R²", "Bias"]
    return table("Errors, each in its number's own unit", heads, rows)
