"""The objects of an audited data set as tables on the terminal."""

from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:  # the command line must not load NumPy to say what it can do
    from osler.data.objects.object_audit import ObjectAudit

CLASSES_SHOWN = 40


def print_objects(objects: "ObjectAudit", console: Console) -> None:
    """Prints how many objects of which class and size there are, and of which shape."""
    console.print(_count_table(objects))
    console.print(_shape_table(objects))


def _count_table(objects: "ObjectAudit") -> Table:
    """A row a class and a row a size, a column a part; the classes with most objects where there are many."""
    table = Table("objects")
    for part in objects.counts:
        table.add_column(part, justify="right")
    names = list(next(iter(objects.counts.values())))
    shown = names
    if len(names) > CLASSES_SHOWN:
        total = {name: sum(counts[name] for counts in objects.counts.values()) for name in names}
        shown = sorted(names, key=lambda name: -total[name])[:CLASSES_SHOWN]
    for name in shown:
        table.add_row(Text(name), *(f"{counts[name]:,}" for counts in objects.counts.values()))
    if len(names) > len(shown):
        rest = [sum(counts[n] for n in names if n not in set(shown)) for counts in objects.counts.values()]
        table.add_row(Text(f"{len(names) - len(shown)} more"), *(f"{count:,}" for count in rest))
    table.add_section()
    for size in ("small", "medium", "large"):
        table.add_row(size, *(f"{sizes[size]:,}" for sizes in objects.sizes.values()))
    table.add_section()
    table.add_row("pictures without", *(f"{count:,}" for count in objects.without.values()))
    masks = "with outlines" if objects.masks else "without outlines"
    table.caption = (
        f"small: box under 32 x 32 pixels, large: over 96 x 96; {objects.crowds:,} crowds, "
        f"{objects.difficult:,} difficult, {masks}"
    )
    return table


def _shape_table(objects: "ObjectAudit") -> Table:
    table = Table("objects", "smallest", "median", "largest")
    for column in table.columns[1:]:
        column.justify = "right"
    rows = (
        ("in a picture", objects.per_picture),
        ("width", objects.widths),
        ("height", objects.heights),
        ("width to height", objects.aspects),
    )
    for name, found in rows:
        if found is not None:
            table.add_row(name, *(f"{value:.4g}" for value in (found.smallest, found.median, found.largest)))
    return table
