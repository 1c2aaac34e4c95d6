"""A diagnosis in the terminal."""

import shlex
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.padding import Padding
from rich.syntax import Syntax
from rich.text import Text

from osler.structures.finding import Diagnosis, Finding, Proof, Series, Where
from osler.structures.healing import Healing

MARKS = {"critical": ("✖", "bold red"), "warning": ("▲", "bold yellow"), "note": ("·", "dim")}
BARS = "▁▂▃▄▅▆▇█"
PLOT_WIDTH = 48


def print_diagnosis(diagnosis: Diagnosis, console: Console, *, notes: bool = True) -> None:
    """What was seen, then every finding with its place, evidence and remedy, then the verdict."""
    console.print()
    console.rule(Text(f"osler doctor  {diagnosis.script}", style="bold"), align="left", style="dim")
    for sentence in diagnosis.story:
        console.print(Text(sentence, style="dim"))
    shown = [f for f in diagnosis.findings if notes or f.counts]
    for finding in shown:
        print_finding(finding, console)
    if diagnosis.patch:
        console.print()
        console.print(Text("What helped, as one diff (osler doctor never writes into your files):", style="bold"))
        console.print(Syntax(diagnosis.patch, "diff", theme="ansi_dark", background_color="default", word_wrap=True))
    console.print()
    console.print(_verdict(diagnosis))


def print_healing(healing: Healing, words: Sequence[str], console: Console) -> None:
    """The changes of a recipe that helped, as words for `osler train`, and what they brought; or that none did."""
    console.print()
    if healing.stopped:
        console.print(Text(f"Not all was tried: {healing.stopped}.", style="dim"))
    if not healing.words:
        console.print(Text("No change of the recipe was seen to help.", style="bold"))
        return
    said = f"What helped in short trials ({healing.metric} {healing.before:.4g} → {healing.after:.4g}):"
    console.print(Text(said, style="bold"))
    changes = [f"{key}={word}" for key, word in healing.words.items()]
    console.print(Text(f"  osler train {shlex.join([*words, *changes])}", style="green"), soft_wrap=True)
    if healing.saved is not None:
        console.print(Text(f"  osler train {shlex.quote(str(healing.saved))}", style="green"), soft_wrap=True)


def print_finding(finding: Finding, console: Console) -> None:
    """One finding: severity, fault, where, the line itself, evidence, plot, remedies, what it explains."""
    mark, style = MARKS[finding.severity]
    console.print()
    title = Text.assemble((f"{mark} {finding.fault}", style), ("   " + finding.severity, "dim"))
    if finding.where:
        title.append(f"   {finding.where}", style="cyan")
    console.print(title)
    line = source_line(finding.where)
    if line is not None:
        console.print(Padding(Text.assemble((f"{finding.where.line:>4} │ ", "dim"), line), (0, 0, 0, 2)))
    console.print(Padding(Text(finding.evidence[:1].upper() + finding.evidence[1:] + "."), (0, 0, 0, 2)))
    for series in finding.series[:2]:
        console.print(Padding(sparkline(series), (0, 0, 0, 2)))
    for number, remedy in enumerate(finding.remedies[:3]):
        arrow = ("→ ", "bold green") if number == 0 else ("  or: ", "dim")
        console.print(Padding(Text.assemble(arrow, remedy.change, _proof(remedy.proof)), (0, 0, 0, 2)))
    if finding.consequences:
        names = ", ".join(dict.fromkeys(c.fault for c in finding.consequences))
        console.print(Padding(Text.assemble(("explains ", "dim"), names), (0, 0, 0, 2)))


def _proof(proof: Proof | None) -> Text:
    """What a remedy did when it was tried."""
    if proof is None:
        return Text("")
    return Text(f"  {proof.metric} {proof.before:.4g} → {proof.after:.4g} in {proof.steps:,} updates", style="green")


def sparkline(series: Series) -> Text:
    """Numbers as a row of bars, with the first and last of them."""
    finite = [v for v in series.values if v == v and abs(v) != float("inf")]
    if not finite:
        return Text(f"{series.name}: no finite value", style="dim")
    low, high = min(finite), max(finite)
    values = series.values[:: max(1, -(-len(series.values) // PLOT_WIDTH))]
    bars = "".join(_bar(v, low, high) for v in values)
    ends = f"  {finite[0]:.3g} → {finite[-1]:.3g}"
    return Text.assemble((f"{series.name} ", "dim"), (bars, "blue"), (ends, "dim"))


def _bar(value: float, low: float, high: float) -> str:
    if value != value or abs(value) == float("inf"):
        return "!"
    return BARS[int((value - low) / (high - low) * (len(BARS) - 1))] if high > low else BARS[0]


def source_line(where: Where) -> str | None:
    """The line itself, where the file is there to be read."""
    if where.file is None or where.line is None:
        return None
    try:
        lines = Path(where.file).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return None
    return lines[where.line - 1].strip()[:160] if 0 < where.line <= len(lines) else None


def _verdict(diagnosis: Diagnosis) -> Text:
    counted = [f for f in diagnosis.findings if f.counts]
    looked = f"{len(diagnosis.skipped)} checks had nothing to look at" if diagnosis.skipped else ""
    if not counted:
        return Text.assemble(
            ("Healthy: ", "bold green"), "nothing that harms this training was found. ", (looked, "dim")
        )
    many = f"{len(counted)} finding{'s' if len(counted) > 1 else ''}"
    more = f"More on one: osler explain {counted[0].fault}. "
    return Text.assemble(("Sick: ", "bold red"), f"{many}. {more}", (looked, "dim"))
