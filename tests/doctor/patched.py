"""Programs with a planted fault, and what a remedy makes of their text. The program runs for its evidence; no check looks."""

import tempfile
import textwrap
from pathlib import Path

from planted import HEAD

from osler.doctor.case import Case
from osler.doctor.mending.prescription import edited, prescriptions
from osler.doctor.script_reading import ScriptReading
from osler.doctor.script_run import run_script
from osler.structures.finding import Finding, Remedy, Where


def patched(
    source: str, fault: str, at: str | None = None, *, layer: str | None = None, which: int = 0, evidence: str = "",
    change: str = "", head: str = HEAD,
) -> str:  # fmt: skip
    """The program after the remedy number `which` against a finding at the line where `at` stands first; without `head`."""
    head = head.strip() + "\n"
    whole = head + textwrap.dedent(source)
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "program.py"
        script.write_text(whole)
        run = run_script(script)
    seen = run.evidence
    line = next(n for n, text in enumerate(whole.splitlines(), 1) if at in text) if at is not None else None
    finding = Finding(fault, "critical", evidence, Where(seen.script, line, layer), (Remedy("", change),), 0.9, ())
    offers = prescriptions(finding, Case(seen, ScriptReading(whole, seen.script)))
    assert len(offers) > which, [o.remedy for o in offers]
    edit = edited(whole, [offers[which]])
    assert edit is not None
    compile(edit.source, "program.py", "exec")
    return edit.source.removeprefix(head)


def changed(source: str, *pairs: tuple[str, str]) -> str:
    """The program with some pieces exchanged, each of which stands in it once."""
    text = textwrap.dedent(source)
    for old, new in pairs:
        assert text.count(old) == 1, (old, text.count(old))
        text = text.replace(old, new)
    return text
