"""A network as boxes and arrows: layers folded into blocks, what merely passes a map on joined to the box before it."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from osler.anatomy.folding import Block, folded
from osler.anatomy.layer import Anatomy
from osler.anatomy.wording import shape

BOXES = 80  # as many a drawing still shows well


@dataclass(slots=True)
class Box:
    """A block, and what was joined to it."""

    path: str
    lines: list[str]  # what it does, one line for each layer joined
    block: Block
    sources: list[int] = field(default_factory=list)  # boxes whose outputs it takes; -1: the picture
    multiply_adds: int = 0
    parameters: int = 0

    @property
    def output(self) -> str:
        """Shape of what it hands on."""
        return shape(self.block.last.output_shape)


def boxes_of(anatomy: Anatomy, depth: int | None = None) -> list[Box]:
    """Boxes in the order in which they ran.

    Args:
        anatomy: of a network.
        depth: how far blocks are folded, see `folded`; None: as deep as leaves at most 80 boxes.
    """
    if depth is not None:
        return _joined(folded(anatomy, depth))
    deepest = max((layer.path.count(".") + 1 for layer in anatomy.layers), default=1)
    for d in range(deepest, 0, -1):
        boxes = _joined(folded(anatomy, d))
        if len(boxes) <= BOXES or d == 1:
            return boxes
    return []


def _joined(blocks: Sequence[Block]) -> list[Box]:
    """Boxes of the blocks; one that only goes on with what its only source hands to it alone is joined to that."""
    box_of: dict[int, int] = {-1: -1}  # layer: box
    uses = _uses(blocks)
    boxes: list[Box] = []
    for number, block in enumerate(blocks):
        inside = {layer.index for layer in block.layers}
        outside = [s for layer in block.layers for s in layer.inputs if s not in inside]
        sources = list(dict.fromkeys(box_of[s] for s in outside))
        alone = len(sources) == 1 and sources[0] >= 0 and _passes_on(block) and not _branches(outside, uses, number)
        if alone:
            target = boxes[sources[0]]
            target.lines.append(_words(block))
            target.block = Block(target.block.path, target.block.kind, (*target.block.layers, *block.layers))
        else:
            boxes.append(Box(block.path, [_words(block)], block, sources))
            target = boxes[-1]
        target.multiply_adds += block.multiply_adds
        target.parameters += block.parameters
        place = boxes.index(target) if alone else len(boxes) - 1
        box_of |= dict.fromkeys(inside, place)
    return boxes


def _uses(blocks: Sequence[Block]) -> dict[int, set[int]]:
    """For each layer the blocks that take its output, other than its own."""
    own = {layer.index: number for number, block in enumerate(blocks) for layer in block.layers}
    uses: dict[int, set[int]] = {}
    for number, block in enumerate(blocks):
        for layer in block.layers:
            for source in layer.inputs:
                if own.get(source) != number:
                    uses.setdefault(source, set()).add(number)
    return uses


def _branches(sources: Sequence[int], uses: dict[int, set[int]], number: int) -> bool:
    """Whether someone else takes the same too."""
    return any(uses.get(source, set()) - {number} for source in sources)


def _passes_on(block: Block) -> bool:
    """Norms, activations and other operators that multiply no weights and keep the shape; reshaping too."""
    if len(block.layers) > 1:
        return False
    layer = block.last
    same = layer.output_shape in layer.input_shapes
    return not layer.multiply_adds and not layer.windows and (same or layer.kind == "reshape")


def _words(block: Block) -> str:
    words = " ".join(part for part in (block.kind, block.window) if part)
    return words if len(block.layers) == 1 else f"{words} ({len(block.layers)} layers)"
