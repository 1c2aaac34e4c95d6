"""Steps that copy samples, alter the copies, or split samples into parts."""

import ast

from osler.doctor.data_lines import DRAWING
from osler.doctor.flow_reading import FlowReading, calls_in
from osler.doctor.provenance import Step
from osler.doctor.script_reading import dotted

JOINING = {"concatenate", "cat", "vstack", "hstack", "append", "extend", "stack", "concat", "ConcatDataset"}
COPYING = {
    "repeat",
    "tile",
    "resample",
    "repeat_interleave",
    "fit_resample",
    "SMOTE",
    "RandomOverSampler",
    "choice",
    "bootstrap",
}
ALTERING = {
    "flip",
    "fliplr",
    "flipud",
    "rot90",
    "rotate",
    "roll",
    "hflip",
    "vflip",
    "transpose",
    "affine",
    "warp",
    "shift",
    "clip",
}
SPLITTING = {
    "train_test_split",
    "random_split",
    "KFold",
    "StratifiedKFold",
    "ShuffleSplit",
    "StratifiedShuffleSplit",
    "split",
}


def splits(step: Step) -> bool:
    """Whether samples are divided: by a function for it, or by two slices of one array."""
    if any(dotted(c.func).rpartition(".")[2] in SPLITTING for c in step.calls):
        return True
    slices: dict[str, int] = {}
    for node in ast.walk(step.node):
        if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Slice):
            slices[ast.unparse(node.value)] = slices.get(ast.unparse(node.value), 0) + 1
    return any(count >= 2 for count in slices.values())


def copies_before_split(inputs: list[Step], others: list[Step], flow: FlowReading) -> Step | None:
    """A step on the ways of both training and evaluation inputs that joins samples with copies of them.

    What stands in a function that is called more than once may have been called for each part: it is let be; the call of
    such a function, where both ways pass one and the same, counts.
    """
    common = {id(s.node): s.depth for s in others}
    split = min((s.depth for s in others if splits(s)), default=None)
    for step in inputs:
        if split is None or common.get(id(step.node), -1) < split:
            continue
        if step.scope and len(flow.called.get(flow.name_of(step.scope), ())) != 1:
            continue
        if _joins_copies(step.node) or _calls_a_copier(step, flow):
            return step
    return None


def _calls_a_copier(step: Step, flow: FlowReading) -> bool:
    """`X, y = enlarge(X, y)`: a function that joins what it is given with altered copies of it."""
    if not isinstance(step.node, ast.Assign):
        return False
    for call in calls_in(step.node.value):
        function = flow.functions.get(dotted(call.func))
        given = {n.id for a in call.args for n in ast.walk(a) if isinstance(n, ast.Name)}
        made = {n.id for t in step.node.targets for n in ast.walk(t) if isinstance(n, ast.Name)}
        if function is None or not given & made:
            continue
        names = {dotted(c.func).rpartition(".")[2] for c in calls_in(function)}
        if names & JOINING and names & (DRAWING | ALTERING | COPYING):
            return True
    return False


def _elements(node: ast.expr) -> list[ast.expr]:
    """What a list in an argument holds: of `[x] + [noisy(x) for _ in range(5)]` both parts."""
    if isinstance(node, (ast.List, ast.Tuple)):
        return [part for element in node.elts for part in _elements(element)]
    if isinstance(node, ast.BinOp):
        return [*_elements(node.left), *_elements(node.right)]
    return [node.elt] if isinstance(node, (ast.ListComp, ast.GeneratorExp)) else [node]


def _joins_copies(node: ast.AST) -> bool:
    """`concatenate([X, X[:, ::-1]])`, `X = np.repeat(X, 3)`: a name beside something made of it."""
    made = (
        {n.id for t in node.targets for n in ast.walk(t) if isinstance(n, ast.Name)}
        if isinstance(node, ast.Assign)
        else set()
    )
    for call in calls_in(node):
        last = dotted(call.func).rpartition(".")[2]
        if last in ("fit_resample", "resample", "SMOTE"):
            return True
        whole = (
            call.args[:1]
            if not isinstance(call.func, ast.Attribute) or dotted(call.func.value) in ("np", "torch", "numpy")
            else [call.func.value]
        )
        if last in ("repeat", "tile", "repeat_interleave") and any(
            isinstance(a, ast.Name) and a.id in made for a in whole
        ):
            return True
        if last not in JOINING:
            continue
        parts = [e for a in call.args for e in _elements(a)]
        plain = {p.id for p in parts if isinstance(p, ast.Name)}
        for part in parts:
            inner = {n.id for n in ast.walk(part) if isinstance(n, ast.Name)}
            if not isinstance(part, ast.Name) and inner & plain and _alters(part):
                return True
    return False


def _alters(node: ast.expr) -> bool:
    names = {dotted(c.func).rpartition(".")[2] for c in calls_in(node)}
    backwards = any(
        isinstance(n, ast.Slice) and n.step is not None and ast.unparse(n.step) == "-1" for n in ast.walk(node)
    )
    return bool(names & (ALTERING | DRAWING | COPYING)) or backwards
