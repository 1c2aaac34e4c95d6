"""The head of the page: what was trained on what, one number, and where the best weights lie."""

import numpy as np

from osler.metrics.choosing import accuracy_trap
from osler.reports.content import ReportContent
from osler.reports.curves import series
from osler.reports.html import Html, definitions, element, join, table
from osler.reports.measures import count, duration, sentence_case, spell, write_value
from osler.reports.sections.classes import scores_of
from osler.reports.sections.detections import found_of
from osler.reports.sections.section import Section

STATS = 4  # numbers beside the headline; more would compete with it


def header(content: ReportContent) -> Html:
    """The page's header."""
    eyebrow = element("p", f"Osler report · {content.subject.task}", class_="eyebrow")
    return element(
        "header",
        eyebrow,
        element("h1", content.subject.title),
        hero(content),
        element("p", *story(content), class_="lede"),
        definitions(stats(content), class_="stats"),
        trap(content),
        callout(content),
    )


def hero(content: ReportContent) -> Html:
    """The one number. Without any measured on held-out pictures it is the training loss, and says so."""
    judged, monitor = content.judged, content.result.monitor
    metrics = content.result.metrics.get(judged or "", {})
    if monitor in metrics:
        value, what = (
            write_value(monitor, metrics[monitor]),
            f"{sentence_case(spell(monitor))} on {pictures(content, judged or '')}",
        )
    else:
        losses = series(content.history, "train.loss")[1]
        value = write_value("loss", float(losses[-1])) if len(losses) else "–"
        what = (
            "Training loss after the last epoch; no pictures were held out to judge the network on"
            if len(losses)
            else "Nothing was measured"
        )
    digits, _, unit = value.partition("\u202f")
    big = element("span", digits, element("span", unit, class_="unit") if unit else None, class_="value")
    return element("p", big, element("span", what, class_="what"), class_="hero")


def pictures(content: ReportContent, split: str) -> str:
    """How many pictures of which split, where it is known."""
    outcome = content.result.outcomes.get(split)
    many = content.subject.counts.get(split) or (len(outcome.indices) if outcome is not None else 0)
    return count(many, f"{split} picture") if many else f"the {split} pictures"


def story(content: ReportContent) -> list[object]:
    """The sentences under the number: how many are wrong, the best epoch, and where its weights are kept."""
    parts: list[object] = []
    judged, result = content.judged, content.result
    outcome = result.outcomes.get(judged or "")
    if outcome is not None and content.subject.task == "classification":
        wrong = int((np.asarray(outcome.predictions).argmax(axis=1) != np.asarray(outcome.targets)).sum())
        parts.append(
            f"{count(wrong, 'picture') if wrong else 'No picture'} of {len(outcome.indices):,} called wrongly. "
        )
    if outcome is not None and content.subject.task == "detection":
        parts.append(found_of(content, judged))
    if content.subject.counts.get("train"):
        parts.append(f"Trained on {count(content.subject.counts['train'], 'picture')}. ")
    if result.best_epoch is not None:
        parts.append(f"Best after epoch {result.best_epoch} of {len(content.history)} by {chosen_by(content)}. ")
    if result.checkpoint:
        parts += ["Its weights are in ", element("code", result.checkpoint), "."]
    return parts


def chosen_by(content: ReportContent) -> str:
    """What chose the best epoch."""
    held_out = any(f"validation.{content.result.monitor}" in row for row in content.history)
    return f"validation {spell(content.result.monitor)}" if held_out else spell(content.result.monitor)


def stats(content: ReportContent) -> list[tuple[str, object]]:
    """A few more numbers: other metrics, and how long it took."""
    metrics = content.result.metrics.get(content.judged or "", {})
    others = [(sentence_case(spell(k)), write_value(k, v)) for k, v in metrics.items() if k != content.result.monitor][
        :STATS
    ]
    seconds = sum(float(row.get("seconds", 0)) for row in content.history)
    if content.history:
        others.append(("Epochs", str(len(content.history))))
    return [*others, ("Training time", duration(seconds))] if seconds else list(others)


def trap(content: ReportContent) -> Html | None:
    """A warning where the accuracy above is little more than the share of the most frequent class."""
    scores = scores_of(content, content.judged) if content.subject.task == "classification" else None
    warning = accuracy_trap(scores.confusion) if scores is not None and content.result.monitor == "accuracy" else None
    return element("p", warning, class_="callout") if warning else None


def callout(content: ReportContent) -> Html | None:
    """A line that leads to what was left out or noted."""
    skipped, notes = len(content.remarks.skipped), len(content.remarks.notes)
    said = [f"{count(skipped, 'picture')} left out"] * bool(skipped) + [count(notes, "note")] * bool(notes)
    if not said:
        return None
    return element(
        "p",
        sentence_case(" and ".join(said)),
        ": ",
        element("a", "see what and why", href="#remarks"),
        ".",
        class_="callout",
    )


def numbers(content: ReportContent) -> Section | None:
    """All metrics, a column a split, where the head could not hold them all."""
    splits = content.result.metrics
    names = list(dict.fromkeys(name for metrics in splits.values() for name in metrics))
    if len(splits) < 2 and len(names) <= STATS + 1:
        return None
    rows: list[list[object]] = [
        [sentence_case(spell(n)), *(write_value(n, m[n]) if n in m else "–" for m in splits.values())] for n in names
    ]
    body = table(
        "Every metric of the best checkpoint", ["Metric", *(sentence_case(s) for s in splits)], rows, class_="narrow"
    )
    lede = "All that was measured on pictures which the network was not trained on."
    if "test" in splits:
        lede = "Validation pictures chose the checkpoint; test pictures were looked at once, at the end."
    return Section("numbers", "All numbers", lede, join(body))
