"""An audit of a data set as tables on the terminal."""

from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from osler.cli.object_table import print_objects

if TYPE_CHECKING:  # the command line must not load NumPy to say what it can do
    from osler.data.audit import DataAudit, Range
    from osler.data.audit_problems import Problem

CLASSES_SHOWN = 40
PLACES_SHOWN = 5


def print_audit(audit: "DataAudit", console: Console) -> None:
    """Prints what a data set holds, then what is wrong with it."""
    console.print(Text(f"{audit.name}: {_kind(audit)}", style="bold"))
    console.print(_count_table(audit))
    console.print(_picture_table(audit))
    if audit.objects is not None:
        print_objects(audit.objects, console)
    for note in audit.notes:
        console.print(Text(note))
    _print_problems(audit, console)


def _kind(audit: "DataAudit") -> str:
    what = {
        "class": "classes, one a picture",
        "labels": "labels, several a picture",
        "numbers": "numbers a picture",
        "objects": "classes of objects",
    }[audit.kind]
    return f"{sum(audit.totals.values()):,} pictures, {len(audit.names)} {what}"


def _count_table(audit: "DataAudit") -> Table:
    """A row a class, a column a part; the classes with most pictures where there are many."""
    table = Table(
        "label"
        if audit.kind == "labels"
        else "class"
        if audit.kind == "class"
        else "pictures with"
        if audit.kind == "objects"
        else ""
    )
    for part in audit.counts:
        table.add_column(part, justify="right")
    rows = {name: [counts[name] for counts in audit.counts.values()] for name in next(iter(audit.counts.values()))}
    shown = list(rows)
    if len(rows) > CLASSES_SHOWN:
        shown = sorted(rows, key=lambda name: -sum(rows[name]))[:CLASSES_SHOWN]
    for name in shown:
        table.add_row(Text(name), *(f"{count:,}" for count in rows[name]))
    if len(rows) > len(shown):
        rest = [sum(rows[name][i] for name in rows if name not in set(shown)) for i in range(len(audit.counts))]
        table.add_row(Text(f"{len(rows) - len(shown)} more"), *(f"{count:,}" for count in rest))
    table.add_section()
    table.add_row("pictures", *(f"{total:,}" for total in audit.totals.values()))
    return table


def _picture_table(audit: "DataAudit") -> Table:
    table = Table("", "smallest", "median", "largest")
    for column in table.columns[1:]:
        column.justify = "right"
    for name, found in (("height", audit.heights), ("width", audit.widths), *audit.numbers.items()):
        if found is not None:
            table.add_row(Text(name), *_range(found))
    table.add_section()
    for name, mean, std in zip(
        ("grey",) if audit.channels == 1 else ("red", "green", "blue"), audit.mean, audit.std, strict=True
    ):
        table.add_row(name, "", f"{mean:.4f} ± {std:.4f}", "")
    table.caption = (
        f"channels: mean ± spread of {audit.pictures_measured:,} training pictures in [0, 1]; "
        f"{audit.grey:,} pictures are grey"
    )
    return table


def _range(found: "Range") -> tuple[str, str, str]:
    return f"{found.smallest:g}", f"{found.median:g}", f"{found.largest:g}"


def _print_problems(audit: "DataAudit", console: Console) -> None:
    if not audit.problems:
        console.print(Text("Nothing wrong was found.", style="green"))
    for problem in audit.problems:
        console.print(_sentence(problem))
        for place in problem.where[:PLACES_SHOWN]:
            console.print(Text(f"    {place}"))
        if len(problem.where) > PLACES_SHOWN:
            console.print(Text(f"    and {len(problem.where) - PLACES_SHOWN:,} more"))


def _sentence(problem: "Problem") -> Text:
    return Text.assemble((problem.name, "bold yellow"), f": {problem.message}")
