"""Steps that mirror, turn or move pictures at random, and whether what belongs to the pictures follows."""

import ast

from osler.doctor.data_lines import DRAWING
from osler.doctor.flow_reading import FlowReading, calls_in
from osler.doctor.provenance import Step
from osler.doctor.script_reading import dotted

MIRRORING = {
    "flip", "fliplr", "flipud", "hflip", "vflip", "rot90", "rotate", "roll", "shift", "warpAffine", "affine", "warp", "crop",
    "resized_crop", "affine_transform", "horizontal_flip", "vertical_flip", "mirror", "transpose_", "swapaxes_",
    "RandomHorizontalFlip", "RandomVerticalFlip", "RandomRotation", "RandomAffine", "RandomResizedCrop", "RandomCrop",
}  # fmt: skip
NEAR = 6  # lines within which a change of the target belongs to a change of the picture


def lonely_geometry(inputs: list[Step], targets: list[Step], flow: FlowReading) -> Step | None:
    """The step that changes the geometry of inputs at random, where nothing alike is done to targets."""
    theirs = {id(s.node) for s in targets}
    if any(moves(s) for s in targets):
        return None
    for step in inputs:
        if id(step.node) in theirs or not step.line or not moves(step) or not _at_random(step, flow):
            continue
        if not any(_follows(target, step, flow) for target in targets):
            return step
    return None


def moves(step: Step) -> bool:
    """Whether a step changes where things stand in a picture: a call, or a slice that runs backwards."""
    if any(dotted(c.func).rpartition(".")[2] in MIRRORING for c in step.calls):
        return True
    for node in ast.walk(step.node):
        backwards = isinstance(node, ast.Slice) and node.step is not None and ast.unparse(node.step) == "-1"
        if backwards and not (isinstance(step.node, ast.Return)):
            return True
    return False


def _at_random(step: Step, flow: FlowReading) -> bool:
    """Whether the step draws, stands under a condition that does, or uses a name that was drawn."""
    if _draws(step.node):
        return True
    for test in _conditions(step, flow):
        if _draws(test):
            return True
        names = {n.id for n in ast.walk(test) if isinstance(n, ast.Name)}
        if any(_draws(b.value) for name in names for b in flow.binds.get((step.scope, name), ())):
            return True
    names = {n.id for n in ast.walk(step.node) if isinstance(n, ast.Name)}
    return any(
        _draws(b.value)
        for name in names
        for b in flow.binds.get((step.scope, name), ())
        if b.line < step.line and b.line > step.line - 12
    )


def _draws(node: ast.AST) -> bool:
    return any(
        dotted(c.func).rpartition(".")[2] in DRAWING - {"permutation", "shuffle", "randperm"} for c in calls_in(node)
    )


def _conditions(step: Step, flow: FlowReading) -> list[ast.expr]:
    """The tests of the `if`s around a step, innermost first."""
    found = [
        n
        for n in ast.walk(flow.script.tree)
        if isinstance(n, (ast.If, ast.IfExp)) and n.lineno <= step.line <= (n.end_lineno or n.lineno)
    ]
    return [n.test for n in sorted(found, key=lambda n: -n.lineno)]


def _follows(target: Step, moved: Step, flow: FlowReading) -> bool:
    """Whether a step of the target's answers the picture's: it changes the target near by, or under the same condition."""
    if target.scope != moved.scope or not _rewrites(target):
        return False
    shared = {ast.unparse(t) for t in _conditions(target, flow)} & {ast.unparse(t) for t in _conditions(moved, flow)}
    random = {t for t in shared if t not in ("self.train", "train", "self.augment", "augment", "training")}
    return bool(random) or abs(target.line - moved.line) <= NEAR


def _rewrites(step: Step) -> bool:
    """Whether a step changes a value that was there: `box[0] = ...`, `box = 1 - box`."""
    if step.in_place:
        return True
    node = step.node
    if not isinstance(node, ast.Assign):
        return False
    made = {n.id for t in node.targets for n in ast.walk(t) if isinstance(n, ast.Name)}
    return bool(made & {n.id for n in ast.walk(node.value) if isinstance(n, ast.Name)})
