"""The network as a drawing: boxes from top to bottom, branches beside one another, in SVG for light and dark pages."""

from collections.abc import Iterator
from html import escape

from osler.anatomy.graph import Box, boxes_of
from osler.anatomy.layer import Anatomy
from osler.anatomy.layout import Arrow, Layout, Place, laid_out
from osler.anatomy.wording import count, jump, seen

WIDE, HIGH = 190.0, 16.0  # of a box, and of a line in it
GAP_ACROSS, GAP_DOWN, MARGIN = 22.0, 30.0, 24.0
LONGEST = 29  # characters in a line

STYLE = """
svg { color-scheme: light dark; font: 12px system-ui, sans-serif; background: var(--page);
  --page: #ffffff; --ink: #1b2430; --soft: #5c6773; --edge: #8a95a1; --plain: #eef1f4;
  --convolution: #dbe9fb; --linear: #e6dffa; --pooling: #fbe6d0; --merge: #d9f0e0; --line: #c3ccd6; }
@media (prefers-color-scheme: dark) { svg {
  --page: #14181d; --ink: #e8ecf1; --soft: #9aa6b3; --edge: #6d7986; --plain: #232a32;
  --convolution: #1d3453; --linear: #362a5c; --pooling: #51381c; --merge: #1c4230; --line: #3a444f; } }
.box { stroke: var(--line); } .name { fill: var(--ink); font-weight: 600; } .what { fill: var(--ink); }
.fact { fill: var(--soft); font-size: 11px; } .arrow { fill: none; stroke: var(--edge); stroke-width: 1.4; }
.tip { fill: var(--edge); }
"""


def as_svg(anatomy: Anatomy, *, depth: int | None = None) -> str:
    """The drawing as the text of an SVG file.

    Args:
        anatomy: of a network.
        depth: how far blocks are folded, see `folded`; None: as deep as leaves at most 80 boxes.
    """
    boxes = boxes_of(anatomy, depth)
    layout = laid_out([box.sources for box in boxes])
    tops = _tops(boxes, layout)
    width = 2 * MARGIN + layout.columns * (WIDE + GAP_ACROSS) - GAP_ACROSS
    height = tops[-1] + MARGIN
    picture = "x".join(map(str, anatomy.input_shapes[0][1:])) if anatomy.input_shapes else ""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}" role="img">',
        f"<title>{escape(anatomy.name)} for an input of {escape(picture)}</title>",
        f"<style>{STYLE}</style>",
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path class="tip" d="M0 0L8 4L0 8z"/></marker></defs>',
        *_arrows(layout, boxes, tops),
        _box(layout.places[0], tops, "input", [picture], [], "plain"),
        *(_drawn(box, layout.places[i + 1], tops) for i, box in enumerate(boxes)),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _height(box: Box) -> float:
    return (1 + len(_lines(box)) + len(_facts(box))) * HIGH + 12


def _lines(box: Box) -> list[str]:
    """What it does; more than three lines are shortened."""
    return box.lines if len(box.lines) <= 3 else [*box.lines[:2], f"and {len(box.lines) - 2} more"]


def _facts(box: Box) -> list[str]:
    numbers = [f"{count(box.parameters)} params"] if box.parameters else []
    numbers += [f"{count(box.multiply_adds)} MACs"] if box.multiply_adds else []
    field = box.block.last.sees
    sees = seen(field)
    step = jump(field)
    words = f"{box.output}" + (f" · sees {sees}" if sees else "") + (f" every {step}" if step else "")
    return [words, *([" · ".join(numbers)] if numbers else [])]


def _tops(boxes: list[Box], layout: Layout) -> list[float]:
    """The upper edge of each row, and the lower edge of the last."""
    heights: dict[int, float] = {0: 2 * HIGH + 12}
    for box, place in zip(boxes, layout.places[1:], strict=True):
        heights[place.row] = max(heights.get(place.row, 0.0), _height(box))
    tops = [MARGIN]
    for row in range(max(heights) + 1):
        tops.append(tops[-1] + heights[row] + GAP_DOWN)
    tops[-1] -= GAP_DOWN
    return tops


def _left(place: Place) -> float:
    return MARGIN + place.column * (WIDE + GAP_ACROSS)


def _drawn(box: Box, place: Place, tops: list[float]) -> str:
    return _box(place, tops, box.path, _lines(box), _facts(box), _colour(box))


def _colour(box: Box) -> str:
    first = box.block.layers[0]
    if len(box.sources) > 1:
        return "merge"
    ways = {use.way for layer in box.block.layers for use in layer.windows}
    if ways & {"convolution", "transposed"}:
        return "convolution"
    if box.multiply_adds:
        return "linear"
    return "pooling" if ways or "Pool" in first.kind else "plain"


def _box(place: Place, tops: list[float], name: str, what: list[str], facts: list[str], colour: str) -> str:
    x, y = _left(place), tops[place.row]
    height = (1 + len(what) + len(facts)) * HIGH + 12
    texts = [("name", name or "output"), *(("what", line) for line in what), *(("fact", line) for line in facts)]
    words = "".join(
        f'<text class="{kind}" x="{x + 10:.1f}" y="{y + 18 + i * HIGH:.1f}">{escape(_cut(line, kind))}</text>'
        for i, (kind, line) in enumerate(texts)
    )
    return (
        f'<g><title>{escape(name)}</title><rect class="box" style="fill:var(--{colour})" x="{x:.1f}" y="{y:.1f}" '
        f'width="{WIDE:.0f}" height="{height:.1f}" rx="6"/>{words}</g>'
    )


def _cut(line: str, kind: str) -> str:
    room = LONGEST + (3 if kind == "fact" else 0)
    if len(line) <= room:
        return line
    return "…" + line[1 - room :] if kind == "name" else line[: room - 1] + "…"


def _arrows(layout: Layout, boxes: list[Box], tops: list[float]) -> Iterator[str]:
    for arrow in layout.arrows:
        yield f'<path class="arrow" marker-end="url(#tip)" d="{_path(arrow, layout, boxes, tops)}"/>'


def _path(arrow: Arrow, layout: Layout, boxes: list[Box], tops: list[float]) -> str:
    """Down from box to box; between rows a curve, through a row straight."""
    start, end = layout.places[arrow.source + 1], layout.places[arrow.target + 1]
    lower = 2 * HIGH + 12 if arrow.source < 0 else _height(boxes[arrow.source])
    x, y = _left(start) + WIDE / 2, tops[start.row] + lower
    path = f"M{x:.1f} {y:.1f}"
    for place in (*arrow.through, end):
        to, top = _left(place) + WIDE / 2, tops[place.row]
        straight = tops[place.row] - GAP_DOWN
        if straight > y:
            path += f"L{x:.1f} {straight:.1f}"
            y = straight
        middle = (y + top) / 2
        path += f"C{x:.1f} {middle:.1f} {to:.1f} {middle:.1f} {to:.1f} {top:.1f}"
        x, y = to, top
    return path
