"""A diagnosis as one page that needs nothing else: findings with their evidence, and all layers over time."""

from importlib.resources import files
from pathlib import Path
from string import Template

from osler.doctor.heat_maps import heat_maps, line_plot
from osler.doctor.terminal import source_line
from osler.reports.html import Html, element, join
from osler.reports.theme import css_variables
from osler.structures.files import write_text
from osler.structures.finding import Diagnosis, Finding
from osler.vitals.evidence import Evidence

STYLE = """
.drawing.heat svg { max-width: 46rem; min-width: 34rem; }
.drawing.heat { overflow-x: auto; }
.mark { font-weight: 640; }
.critical .mark { color: var(--series-2); }
.warning .mark { color: var(--series-4); }
pre { margin: 0.8rem 0 0; padding: 0.6rem 0.9rem; border-left: 3px solid var(--rule); overflow-x: auto; }
.remedies { padding-left: 1.2rem; margin-top: 0.8rem; }
"""
CURVE_POINTS = 400


def write_page(diagnosis: Diagnosis, evidence: Evidence, path: Path) -> Path:
    """Writes the page, whole or not at all, and returns its path.

    Raises:
        OSError: it cannot be written.
    """
    write_text(path, page_html(diagnosis, evidence))
    return path


def page_html(diagnosis: Diagnosis, evidence: Evidence) -> str:
    """The page."""
    assets = files("osler.reports") / "assets"
    sections = [*(_finding(f, n) for n, f in enumerate(diagnosis.findings)), *_layers(evidence), _skipped(diagnosis)]
    links = [element("li", element("a", f.fault, href=f"#finding-{n}")) for n, f in enumerate(diagnosis.findings)]
    return Template((assets / "report.html").read_text(encoding="utf-8")).substitute(
        title=join(f"{Path(diagnosis.script).name} · Osler doctor"),
        variables=css_variables(),
        style=(assets / "report.css").read_text(encoding="utf-8") + STYLE,
        header=_header(diagnosis),
        navigation=element("nav", element("ul", *links), aria_label="Findings") if links else Html(""),
        sections=join(*sections),
        footer=element("footer", "Made by Osler. This page is complete in itself and asks nothing of any network."),
    )


def _header(diagnosis: Diagnosis) -> Html:
    counted = sum(f.counts for f in diagnosis.findings)
    what = {0: "nothing that harms this training was found", 1: "1 finding that harms this training"}.get(
        counted, f"{counted} findings that harm this training"
    )
    return element(
        "header",
        element("p", "Osler doctor", class_="eyebrow"),
        element("h1", diagnosis.script or "a training"),
        element(
            "div",
            element("span", diagnosis.verdict, class_="value"),
            element("span", what, class_="what"),
            class_="hero",
        ),
        element("p", " ".join(diagnosis.story), class_="lede"),
    )


def _finding(finding: Finding, number: int) -> Html:
    aside = element(
        "div",
        element("h2", finding.fault),
        element("p", element("span", finding.severity, class_="mark"), f" {finding.where}" if finding.where else ""),
        class_="aside",
    )
    line = source_line(finding.where)
    parts: list[object] = [element("p", finding.evidence[:1].upper() + finding.evidence[1:] + ".")]
    if line is not None:
        parts.append(element("pre", element("code", f"{finding.where.line}  {line}")))
    parts += [line_plot(s.name, list(s.steps), list(s.values)) for s in finding.series[:3] if s.values]
    parts.append(element("ul", *(element("li", r.change) for r in finding.remedies), class_="remedies"))
    if finding.consequences:
        told = (element("li", element("b", c.fault), f": {c.evidence}") for c in finding.consequences)
        parts.append(element("details", element("summary", "What this explains"), element("ul", *told, class_="notes")))
    return element(
        "section", aside, element("div", *parts, class_="body"), id=f"finding-{number}", class_=finding.severity
    )


def _layers(evidence: Evidence) -> list[Html]:
    sections = []
    curves = [b for b in evidence.backwards if len(b.values) > 1]
    if curves:
        values = curves[0].values[:: max(1, len(curves[0].values) // CURVE_POINTS)]
        plot = line_plot("Training loss", [s for s, _ in values], [v for _, v in values])
        sections.append(_section("The loss", "As it was when backward was called.", [plot]))
    for model in evidence.trained_models[:3]:
        maps = [m.svg() for m in heat_maps(evidence, model)]
        if maps:
            words = "Layers in the order of the forward pass, over the updates that were looked at closely."
            sections.append(_section(f"The layers of {model.name}", words, maps))
    return sections


def _skipped(diagnosis: Diagnosis) -> Html:
    if not diagnosis.skipped:
        return Html("")
    rows = (element("li", element("b", s.fault), f": {s.reason}") for s in diagnosis.skipped)
    body = element(
        "details", element("summary", f"{len(diagnosis.skipped)} checks"), element("ul", *rows, class_="notes")
    )
    return _section("Not looked at", "Checks that missed something that they need.", [body])


def _section(title: str, words: str, body: list[Html]) -> Html:
    aside = element("div", element("h2", title), element("p", words), class_="aside")
    return element("section", aside, element("div", *body, class_="body"))
