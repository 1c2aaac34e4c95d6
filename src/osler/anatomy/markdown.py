"""The anatomy as a page of Markdown."""

from osler.anatomy.folding import Block, folded
from osler.anatomy.layer import Anatomy
from osler.anatomy.wording import count, jump, megabytes, seen, seen_in_words, shape, share, totals

HEAD = (
    "| layer | what | output | sees | jump | parameters | % | multiply-adds | % | MB | MB in training |\n"
    "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
)


def as_markdown(anatomy: Anatomy, *, depth: int | None = None, worked: bool = False) -> str:
    """A title, the table, the totals, and the remarks.

    Args:
        anatomy: of a network.
        depth: how far blocks are folded, see `folded`.
        worked: with each formula worked out.
    """
    inputs = ", ".join(shape(s) for s in anatomy.input_shapes)
    lines = [f"# {anatomy.name} for an input of {inputs}", "", HEAD]
    lines += [_row(anatomy, block) for block in folded(anatomy, depth)]
    lines += ["", *(f"- **{name}**: {sentence}" for name, sentence in totals(anatomy))]
    lines += [f"- **not known**: {note}" for note in anatomy.notes]
    if anatomy.remarks:
        lines += ["", "## What stands out", "", *(f"- **{r.name}**: {r.message}" for r in anatomy.remarks)]
    if worked:
        lines += ["", "## Worked", "", *_worked(anatomy)]
    return "\n".join(lines) + "\n"


def _row(anatomy: Anatomy, block: Block) -> str:
    what = " ".join(part for part in (block.kind, block.window) if part)
    cells = [
        f"`{block.path}`" if block.path else anatomy.name,
        what if len(block.layers) == 1 else f"{what} ({len(block.layers)} layers)",
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
    return "| " + " | ".join(cells) + " |"


def _worked(anatomy: Anatomy) -> list[str]:
    lines = []
    for layer in anatomy.layers:
        for use in layer.windows:
            lines += [f"- `{layer.path or anatomy.name}` {layer.kind} {use.short}"]
            lines += [f"    - output size: {formula}" for formula in use.formulas]
            lines += [f"    - multiply-adds: {use.worked_cost}"] if use.worked_cost else []
        if layer.windows and layer.sees is not None and layer.sees.sides:
            lines += [f"    - sees: {seen_in_words(layer.sees)}"]
    return lines
