"""The report: one self-contained page, and its pictures as files."""

from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from string import Template

from osler.reports.content import ReportContent
from osler.reports.html import Html, element, join
from osler.reports.images import save_figure
from osler.reports.sections import (
    circumstances,
    classes,
    detections,
    findings,
    galleries,
    headline,
    healing,
    labels,
    learning,
    numbers,
)
from osler.reports.sections.section import Section
from osler.reports.theme import css_variables
from osler.structures.files import write_text

Writer = Callable[[ReportContent], Section | None]

ANSWERS: dict[str, tuple[Writer, ...]] = {  # how each task's answers are judged
    "classification": (classes.confusions, classes.per_class, classes.thresholds, classes.calibration),
    "multilabel": (labels.per_label, labels.label_curves, labels.label_calibration),
    "regression": (numbers.fits,),
    "detection": (detections.per_class, detections.errors, detections.confusions, detections.curves),
}


def write_report(content: ReportContent, folder: Path | str) -> Path:
    """Writes `report.html` and `figures/*.png` into a folder, each whole or not at all, and returns the page's path.

    The page needs nothing but itself: styles and pictures are inside, and it forbids itself any request.

    Raises:
        OSError: the folder cannot be written.
    """
    folder = Path(folder)
    sections = sections_of(content)
    page = page_html(content, sections)
    for drawing in (d for s in sections for d in s.drawings):
        save_figure(drawing.figure, folder / "figures" / f"{drawing.name}.png", title=drawing.title)
    write_text(folder / "report.html", page)
    return folder / "report.html"


def sections_of(content: ReportContent) -> list[Section]:
    """The sections that this content fills, in the order of the page."""
    writers = (
        learning.learning,
        findings.findings,
        healing.healing,
        galleries.mistakes,
        headline.numbers,
        *ANSWERS.get(content.subject.task, ()),
        galleries.batch,
        circumstances.timing,
        circumstances.recipe,
        circumstances.remarks,
        circumstances.environment,
    )
    return [section for section in (write(content) for write in writers) if section is not None]


def page_html(content: ReportContent, sections: list[Section]) -> str:
    """The whole page."""
    assets = files("osler.reports") / "assets"
    links = (element("li", element("a", s.title, href=f"#{s.anchor}")) for s in sections)
    made = f"Made by Osler {content.environment.get('Osler', '')}".strip()
    template = Template((assets / "report.html").read_text(encoding="utf-8"))
    return template.substitute(
        title=join(f"{content.subject.title} · Osler report"),
        variables=css_variables(),
        style=(assets / "report.css").read_text(encoding="utf-8"),
        header=headline.header(content),
        navigation=element("nav", element("ul", *links), aria_label="Sections") if sections else Html(""),
        sections=join(*(s.html() for s in sections)),
        footer=element("footer", f"{made}. This page is complete in itself and asks nothing of any network."),
    )
