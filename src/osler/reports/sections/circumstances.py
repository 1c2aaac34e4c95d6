"""How the run came about: time, recipe with who set each value, what was left out, the machine."""

import re
from collections.abc import Sequence
from typing import Any

from osler.reports.content import ReportContent
from osler.reports.curves import series, speed_curve
from osler.reports.html import Html, definitions, element, table
from osler.reports.measures import count, duration, number, sentence_case
from osler.reports.sections.section import Drawing, Section, block, pair
from osler.training.recipe import Origin

LISTED = 100  # pictures left out that are named one by one


def timing(content: ReportContent) -> Section | None:
    """How long it took, and how fast it went."""
    pairs: list[tuple[str, object]] = [(sentence_case(k), say(k, v)) for k, v in content.timing.items()]
    seconds = series(content.history, "seconds")[1]
    if len(seconds):
        pairs.append(("An epoch, on average", duration(float(seconds.mean()))))
    drawings = []
    if len(series(content.history, "images_per_second")[1]) > 1:
        figure = speed_curve(content.history)
        drawings.append(
            Drawing("speed", figure, "Speed", "Training pictures that pass through the network each second.")
        )
    if not pairs:
        return None
    lede = "Where the time went. A first epoch that is slower than the others warmed up caches and kernels."
    body = block(definitions(pairs, class_="facts"), pair(*drawings) if drawings else None)
    return Section("timing", "Time", lede, body, drawings)


def say(key: str, value: float | str) -> str:
    """A timing: seconds as a duration unless the key names another unit."""
    if isinstance(value, str):
        return value
    return number(value) if " per " in key or key.endswith("_per_second") else duration(value)


def recipe(content: ReportContent) -> Section | None:
    """Every value of the recipe under who set it."""
    if not content.recipe:
        return None
    by = {
        who: [row for row in content.recipe if row[2].who == who]
        for who in ("person", "automatic", "weights", "default")
    }
    parts = [
        values("You set", by["person"]),
        values("Chosen by Osler, and why", by["automatic"]),
        values("Given by the weights", by["weights"]),
    ]
    if by["default"]:
        rest = values(f"{count(len(by['default']), 'default')}", by["default"])
        parts.append(
            element("details", element("summary", f"{count(len(by['default']), 'value')} left at the default"), rest)
        )
    lede = "All that determines the run. What you set was kept; what was automatic is frozen here, with its reason."
    return Section("recipe", "Recipe", lede, block(*parts))


def values(title: str, rows: Sequence[tuple[str, Any, Origin]]) -> Html | None:
    """A table of keys and values, with the reasons where there are any."""
    if not rows:
        return None
    reasons = any(origin.reason for _, _, origin in rows)
    cells: list[list[object]] = [
        [code(key), code(plainly(value)), *([origin.reason] if reasons else [])] for key, value, origin in rows
    ]
    return table(title, ["Key", "Value", *(["Reason"] if reasons else [])], cells, class_="words")


def code(text: str) -> Html:
    """A key, value or path, which may break after its dots, slashes, commas and underscores."""
    parts = re.split(r"(?<=[./_,])", text)
    return element(
        "code", *(part for pieces in zip(parts, [Html("<wbr>")] * len(parts), strict=True) for part in pieces)
    )


def plainly(value: object) -> str:
    """A value as one would write it in a recipe."""
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "none"}[value]
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(plainly(v) for v in value) + "]"
    return f"{value:g}" if isinstance(value, float) else str(value) if value != "" else "(empty)"


def remarks(content: ReportContent) -> Section | None:
    """Notes, and the pictures that were left out with the reason of each."""
    notes, skipped = content.remarks.notes, content.remarks.skipped
    if not notes and not skipped:
        return None
    parts: list[Html | None] = []
    if notes:
        parts.append(element("ul", *(element("li", note) for note in notes), class_="notes"))
    if skipped:
        rows: list[list[object]] = [[code(s.path), s.reason] for s in skipped[:LISTED]]
        more = f" (the first {LISTED})" if len(skipped) > LISTED else ""
        parts.append(
            table(f"{count(len(skipped), 'picture')} left out{more}", ["Picture", "Reason"], rows, class_="words")
        )
    lede = "What Osler decided, could not do, or left out. Nothing else was changed in silence."
    return Section("remarks", "Notes", lede, block(*parts))


def environment(content: ReportContent) -> Section | None:
    """Versions and machine."""
    if not content.environment:
        return None
    pairs: list[tuple[str, object]] = [(sentence_case(k), v) for k, v in content.environment.items()]
    lede = "On what the run was made, for whoever repeats it."
    return Section("environment", "Environment", lede, definitions(pairs, class_="facts"))
