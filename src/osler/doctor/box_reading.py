"""How a script's own code reads boxes: as corners, as a position and a size, in pixels or in shares, by its syntax tree.

Only what is written plainly counts: `b[:, 2] - b[:, 0]` reads corners, `b[:, 0] + b[:, 2]` a position and a size. Code that
speaks of conversions reads both, and proves nothing.
"""

import ast
import re
from collections.abc import Iterator
from functools import cached_property

from osler.doctor.script_reading import ScriptReading, dotted

CONVERTING = re.compile(
    r"xywh|cxcy|xyxy|box_convert|to_corner|corner_form|center_size|centre_size|center_form|ltwh|ltrb|from_coco|bbox_format",
    re.IGNORECASE,
)
OF_CORNERS = {
    "box_iou", "generalized_box_iou", "complete_box_iou", "distance_box_iou", "generalized_box_iou_loss", "nms", "batched_nms",
    "complete_box_iou_loss", "distance_box_iou_loss", "roi_align", "roi_pool", "clip_boxes_to_image",
}  # fmt: skip
OF_LEARNING = re.compile(r"iou|loss|match|assign|nms|encode|regress", re.IGNORECASE)
PAIRS = re.compile(r"^(x2|xmax|x_max|right|x1_max)\W+(x1|xmin|x_min|left|x1_min)$", re.IGNORECASE)

HALF = r"( / 2(\.0)?| \* 0\.5| // 2|\))*"
SUMS = re.compile(
    rf"^\(*(c?x\w*|left|\w*_x) [+-] \(?(w|bw|width|\w*_w){HALF}$|^\(*(c?y\w*|top|\w*_y) [+-] \(?(h|bh|height|\w*_h){HALF}$",
    re.IGNORECASE,
)  # `x + w`, `cy - h / 2`: a position and a size


class BoxReading:
    """What the code does with boxes."""

    def __init__(self, script: ScriptReading) -> None:
        self._script = script

    @property
    def corners(self) -> bool:
        """Whether boxes are read as corners, and nowhere in another way."""
        return self._signs["corners"] and not self.sizes and not self.converts

    @property
    def sizes(self) -> bool:
        """Whether some code reads boxes as a position and a size."""
        return self._signs["sides"]

    @cached_property
    def converts(self) -> bool:
        """Whether the code names another way to write boxes."""
        return any(CONVERTING.search(name) for name in self._names())

    @cached_property
    def _signs(self) -> dict[str, bool]:
        found = {"corners": bool(self._script.calls_of(*OF_CORNERS)), "sides": False}
        halved: set[int] = set()
        learning, data = self._learning, self._data
        for node in ast.walk(self._script.tree):
            if not isinstance(node, ast.BinOp):
                continue
            reads = id(node) in learning
            found["sides"] |= id(node) not in data and bool(SUMS.match(ast.unparse(node)))
            if _halves(node):
                inner = node.right if isinstance(node.left, ast.Constant) else node.left
                halved.add(id(inner))
                if _last_index(inner) in (2, 3, "2:"):
                    found["sides"] = True
                found["corners"] |= reads and _adds_corners(inner)
            elif isinstance(node.op, ast.Sub) and _subtracts_corners(node):
                found["corners"] |= reads
            elif id(node) not in halved and _adds_corners(node):
                found["sides"] = True
        return found

    @cached_property
    def _learning(self) -> set[int]:
        """The parts of the code that networks and losses run: what makes data may turn corners into something else."""
        classes = [c for c in self._script.classes().values() if any("Module" in dotted(b) for b in c.bases)]
        functions = [f for name, f in self._script.functions().items() if OF_LEARNING.search(name.rpartition(".")[2])]
        return {id(node) for part in (*classes, *functions) for node in ast.walk(part)}

    @cached_property
    def _data(self) -> set[int]:
        """The parts that make data sets: what is turned into corners there comes out as corners."""
        classes = [c for c in self._script.classes().values() if _defines(c, "__getitem__") or _defines(c, "__iter__")]
        return {id(node) for part in classes for node in ast.walk(part)}

    def _names(self) -> Iterator[str]:
        for node in ast.walk(self._script.tree):
            if isinstance(node, ast.Name):
                yield node.id
            elif isinstance(node, ast.Attribute):
                yield node.attr
            elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                yield node.name
            elif isinstance(node, ast.keyword):
                yield node.arg or ""
            elif isinstance(node, ast.Call):  # a string that is passed, such as a format's name; no docstring
                yield from (a.value for a in node.args if isinstance(a, ast.Constant) and isinstance(a.value, str))


def boxes_line(script: ScriptReading) -> int | None:
    """The line at which a target's boxes are put into it."""
    for node in ast.walk(script.tree):
        if isinstance(node, ast.Dict):
            keys = [k.value for k in node.keys if isinstance(k, ast.Constant)]
            if any(k in ("boxes", "bboxes", "bbox") for k in keys):
                return next(k.lineno for k in node.keys if isinstance(k, ast.Constant) and "box" in str(k.value))
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Subscript):
            index = node.targets[0].slice
            if isinstance(index, ast.Constant) and index.value in ("boxes", "bboxes", "bbox"):
                return node.lineno
        if isinstance(node, ast.Call) and dotted(node.func) == "dict" and any(k.arg == "boxes" for k in node.keywords):
            return node.lineno
    return None


def _defines(node: ast.ClassDef, name: str) -> bool:
    return any(isinstance(part, ast.FunctionDef) and part.name == name for part in node.body)


def _halves(node: ast.BinOp) -> bool:
    two = isinstance(node.right, ast.Constant) and node.right.value in (2, 2.0)
    half = any(isinstance(side, ast.Constant) and side.value == 0.5 for side in (node.left, node.right))
    return (isinstance(node.op, (ast.Div, ast.FloorDiv)) and two) or (isinstance(node.op, ast.Mult) and half)


def _last_index(node: ast.AST) -> int | str | None:
    """Which of a box's numbers is taken: 0 to 3, or `:2` or `2:` for two of them; None where that is not plain."""
    if not isinstance(node, ast.Subscript):
        return None
    index = node.slice.elts[-1] if isinstance(node.slice, ast.Tuple) and node.slice.elts else node.slice
    if isinstance(index, ast.Constant) and isinstance(index.value, int) and index.value in (0, 1, 2, 3):
        return index.value
    if isinstance(index, ast.Slice) and index.step is None:
        begin, end = (part.value if isinstance(part, ast.Constant) else None for part in (index.lower, index.upper))
        if begin == 2 and (index.upper is None or end == 4):
            return "2:"
        if end == 2 and (index.lower is None or begin == 0):
            return ":2"
    return None


def _subtracts_corners(node: ast.BinOp) -> bool:
    if (_last_index(node.left), _last_index(node.right)) in ((2, 0), (3, 1), ("2:", ":2")):
        return _same_base(node.left, node.right)
    return bool(PAIRS.match(f"{dotted(node.left)} {dotted(node.right)}"))


def _adds_corners(node: ast.AST) -> bool:
    if not isinstance(node, ast.BinOp) or not isinstance(node.op, ast.Add):
        return False
    pairs = {(0, 2), (1, 3), (2, 0), (3, 1), (":2", "2:"), ("2:", ":2")}
    return (_last_index(node.left), _last_index(node.right)) in pairs and _same_base(node.left, node.right)


def _same_base(left: ast.AST, right: ast.AST) -> bool:
    base = lambda node: ast.dump(node.value) if isinstance(node, ast.Subscript) else ""  # noqa: E731
    return base(left) == base(right)
