"""What the doctor found while it watched the training, and what to change."""

from osler.reports.content import ReportContent
from osler.reports.html import Html, element, table
from osler.reports.sections.section import Section, block
from osler.structures.finding import Finding


def findings(content: ReportContent) -> Section | None:
    """The findings, gravest first, each with its evidence, what it explains, and its remedies."""
    if not content.findings:
        return None
    rows: list[list[object]] = [
        [each.fault, each.severity, _evidence(each), _remedies(each)] for each in content.findings
    ]
    harmful = sum(each.counts for each in content.findings)
    caption = "1 finding that harms a training" if harmful == 1 else f"{harmful} findings that harm a training"
    lede = (
        "What the doctor saw while it watched. doctor.html beside this page shows it over time, layer by layer; "
        "osler explain says what each fault is."
    )
    return Section(
        "findings",
        "The doctor's findings",
        lede,
        block(table(caption, ["Found", "How grave", "Evidence", "What to change"], rows, class_="words")),
    )


def _evidence(finding: Finding) -> str:
    place = f" ({finding.where})" if finding.where else ""
    explained = ", ".join(each.fault for each in finding.consequences)
    return f"{finding.evidence}{place}" + (f"; this explains {explained}" if explained else "")


def _remedies(finding: Finding) -> Html:
    return element("ul", *(element("li", remedy.change) for remedy in finding.remedies), class_="notes")
