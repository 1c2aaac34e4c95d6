"""The anatomy as a table on the terminal, readable at 100 columns."""

import io
from collections.abc import Iterator, Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from osler.anatomy.folding import Block, folded
from osler.anatomy.layer import Anatomy
from osler.anatomy.roofline import Estimate
from osler.anatomy.wording import count, jump, megabytes, seen, seen_in_words, shape, share, totals

WIDTH = 100


def renderables(
    anatomy: Anatomy, *, depth: int | None = None, worked: bool = False, width: int = WIDTH
) -> Iterator[RenderableType]:
    """The parts of the answer, top to bottom.

    Args:
        anatomy: of a network.
        depth: how far blocks are folded, see `folded`.
        worked: with each formula worked out, below the table.
        width: columns of the terminal.
    """
    inputs = ", ".join(shape(s) for s in anatomy.input_shapes)
    yield Text.assemble((anatomy.name, "bold"), f" for an input of {inputs}")
    yield _table(anatomy, folded(anatomy, depth), width)
    yield Text("")
    longest = max(len(name) for name, _ in totals(anatomy))
    for name, sentence in totals(anatomy):
        yield Text.assemble((name.ljust(longest), "bold"), "  ", sentence)
    for note in anatomy.notes:
        yield Text.assemble(("not known  ", "bold yellow"), note)
    if worked:
        yield Text("")
        yield from worked_lines(anatomy)
    if anatomy.remarks:
        yield Text("")
    for remark in anatomy.remarks:
        yield Text.assemble((remark.name, "bold yellow"), f": {remark.message}")


def worked_lines(anatomy: Anatomy) -> Iterator[Text]:
    """For each layer with a window, its output size and its multiply-adds with all numbers put in."""
    for layer in anatomy.layers:
        for window in layer.windows:
            yield Text.assemble((layer.path or anatomy.name, "bold"), f"  {layer.kind} {window.short}")
            for formula in window.formulas:
                yield Text(f"    output size    {formula}")
            if window.worked_cost:
                yield Text(f"    multiply-adds  {window.worked_cost}")
        if layer.windows and layer.sees is not None and layer.sees.sides:
            yield Text(f"    sees           {seen_in_words(layer.sees)}")


def estimate_lines(estimates: Sequence[Estimate]) -> Iterator[RenderableType]:
    """A table of what devices would need at their peaks, and whence their rates are known."""
    yield Text.assemble(
        ("\nEstimates", "bold"),
        " for one picture, from peak rates (roofline); a real run reaches no peak.",
    )
    table = Table(box=SIMPLE_HEAD, padding=0, show_edge=False)
    for name in ("device", "in", "fused", "by layer", "computing", "slowest"):
        table.add_column(name, justify="left" if name in ("device", "in", "slowest") else "right", overflow="fold")
    for estimate in estimates:
        table.add_row(
            Text(estimate.device.title + ("" if estimate.fits else " (weights do not fit on the chip)")),
            estimate.precision,
            f"{1e3 * estimate.fused:.3g} ms",
            f"{1e3 * estimate.by_layer:.3g} ms",
            f"{100 * estimate.computing:.0f}%",
            Text(", ".join(estimate.slowest[:2])),
        )
    yield table
    for estimate in estimates:
        yield Text(f"{estimate.device.name}: {estimate.device.source}", style="dim")


def print_anatomy(anatomy: Anatomy, console: Console, *, depth: int | None = None, worked: bool = False) -> None:
    """Prints all of it."""
    for part in renderables(anatomy, depth=depth, worked=worked, width=console.width):
        console.print(part)


def as_text(anatomy: Anatomy, *, depth: int | None = None, worked: bool = False, width: int = WIDTH) -> str:
    """The same as plain text."""
    file = io.StringIO()
    console = Console(file=file, width=width, highlight=False, color_system=None)
    print_anatomy(anatomy, console, depth=depth, worked=worked)
    return "\n".join(line.rstrip() for line in file.getvalue().splitlines()) + "\n"


def as_html(anatomy: Anatomy) -> str:
    """The same for a notebook."""
    console = Console(file=io.StringIO(), width=WIDTH + 20, record=True, highlight=False)
    print_anatomy(anatomy, console)
    return console.export_html(inline_styles=True, code_format='<pre style="line-height:1.3">{code}</pre>')


def _table(anatomy: Anatomy, blocks: list[Block], width: int) -> Table:
    rows = [_cells(anatomy, block) for block in blocks]
    numbers = [max([len(name), *(len(row[2 + i]) for row in rows)]) for i, name in enumerate(NUMBERS)]
    room = max(24, width - sum(numbers) - len(numbers) - 1)  # for the two columns of words
    longest = [max((len(row[i]) for row in rows), default=0) for i in (0, 1)]
    first = min(longest[0], max(room // 2, room - longest[1]))
    natural = sum(numbers) + min(first, longest[0]) + min(room - first, longest[1])
    airy = natural + 2 * (len(numbers) + 1) + 1 <= width
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0) if airy else 0, show_edge=False)
    table.add_column("layer", no_wrap=True)
    table.add_column("what", no_wrap=True)
    for name in NUMBERS:
        table.add_column(name, justify="right", no_wrap=True)
    for block, (path, what, *rest) in zip(blocks, rows, strict=True):
        quiet = not block.multiply_adds and not block.parameters
        words = [
            Text(_shortened(path, first)),
            Text(what if len(what) <= room - first else what[: room - first - 1] + "…"),
        ]
        cells = [*words, *(Text(cell, style="dim" if i in SHARES else "") for i, cell in enumerate(rest))]
        table.add_row(*cells, style="dim" if quiet else "")
    return table


NUMBERS = ("output", "sees", "jump", "params", "%", "MACs", "%", "MB", "train MB")
SHARES = (4, 6)


def _shortened(path: str, width: int) -> str:
    """The end of a name says more than its beginning."""
    return path if len(path) <= width else "…" + path[-(width - 1) :]


def _cells(anatomy: Anatomy, block: Block) -> list[str]:
    what = " ".join(part for part in (block.kind, block.window) if part)
    return [
        block.path or anatomy.name,
        what if len(block.layers) == 1 else f"{what} ({len(block.layers)})",
        shape(block.last.output_shape),
        seen(block.last.sees),
        jump(block.last.sees),
        count(block.parameters) if block.parameters else "",
        share(block.parameters, anatomy.parameters),
        ("?" if block.unknown else "") + (count(block.multiply_adds) if block.multiply_adds else ""),
        share(block.multiply_adds, anatomy.multiply_adds),
        megabytes(block.output_bytes),
        megabytes(block.training_bytes),
    ]
