"""What `--heal` found before the training, what it changed in the recipe, and what that brought."""

import math

from osler.reports.content import ReportContent
from osler.reports.html import table
from osler.reports.measures import number
from osler.reports.sections.circumstances import code
from osler.reports.sections.section import Section, block


def healing(content: ReportContent) -> Section | None:
    """The chain of changes, kept or taken back, with the figure of a short trial before and after each."""
    if not content.healing:
        return None
    rows: list[list[object]] = [
        [
            each.fault,
            each.evidence,
            code(f"{each.key}={each.before}"),
            code(each.after),
            each.metric,
            _said(each.score_before),
            _said(each.score_after),
            "kept" if each.kept else each.problem or "taken back",
        ]
        for each in content.healing
    ]
    heads = ["Found", "Evidence", "Was", "Became", "Figure", "Before", "After", "Outcome"]
    kept = sum(each.kept for each in content.healing)
    caption = f"{kept} of {len(rows)} changes kept"
    lede = (
        "Before this training the recipe was tried on a part of the data. Each row is a finding, the change of the recipe "
        "that was tried against it on top of those kept before, and the figure of a short trial without it and with it."
    )
    return Section("healing", "Healed", lede, block(table(caption, heads, rows, class_="words")))


def _said(score: float) -> str:
    return number(score) if math.isfinite(score) else "no number"
