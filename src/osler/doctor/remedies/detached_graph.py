"""The way from the parameters to the loss opened again: conversions left out, steps made passable, gradients recorded."""

import ast
from collections.abc import Iterator

from osler.doctor.case import Case
from osler.doctor.cut_lines import STEPS, cut_in
from osler.doctor.mending.class_edit import function_node
from osler.doctor.mending.graph_edit import cuts_in, open_block, uncut, without_cuts
from osler.doctor.mending.prescription import Prescription, prescribes
from osler.doctor.mending.script_edit import CannotEditError, ScriptEdit
from osler.doctor.mending.straight_through import class_loss, pass_through, soft_choice
from osler.doctor.script_reading import dotted
from osler.structures.finding import Finding

CHOICE = "way of the gradient"
SIMPLE = (ast.Assign, ast.AugAssign, ast.AnnAssign, ast.Return, ast.Expr)
# Functions of numpy that torch has under the same name, for the same arguments.
SHARED = frozenset((
    "abs", "sqrt", "exp", "log", "log1p", "expm1", "sin", "cos", "tan", "tanh", "sinh", "cosh", "square", "maximum", "minimum",
    "where", "mean", "sum", "prod", "stack", "dot", "matmul", "concatenate", "outer", "einsum", "clip", "transpose", "reshape",
    "ravel", "squeeze", "flip", "roll", "sign", "zeros_like", "ones_like",
))  # fmt: skip


@prescribes("detached-graph")
def prescribe(finding: Finding, case: Case) -> Iterator[Prescription]:
    """The cut at the line left out; all cuts of its function; a step made passable, or a loss for classes in its place."""
    line = finding.where.line
    if line is None:
        return

    def opened(edit: ScriptEdit) -> None:
        if not open_block(edit, case.script, line):
            raise CannotEditError("Gradients are not switched off there.")

    def uncut_here(edit: ScriptEdit) -> None:
        _uncut(edit, _statements_at(case, line))

    def uncut_around(edit: ScriptEdit) -> None:
        _uncut(edit, _statements_around(case, line))

    def passable(edit: ScriptEdit) -> None:
        pass_through(edit, _statement_at(case, line))

    def soft(edit: ScriptEdit) -> None:
        soft_choice(edit, _statement_at(case, line))

    def for_classes(edit: ScriptEdit) -> None:
        class_loss(edit, _statement_at(case, line))

    yield Prescription("record gradients", f"Let gradients be recorded at line {line}.", opened, choice=CHOICE)
    yield Prescription(
        "a loss with a slope", f"Compute the loss at line {line} with cross_entropy from the scores.", for_classes,
        choice=CHOICE, changes_loss=True,
    )  # fmt: skip
    yield Prescription(
        "softmax for argmax", f"Take a softmax at line {line} in place of the argmax.", soft, choice=CHOICE
    )
    if not _is_step(case, line):
        yield Prescription(
            "stay in the graph", f"Keep the tensor at line {line} as it is: take nothing out of the graph.", uncut_here,
            choice=CHOICE,
        )  # fmt: skip
        yield Prescription(
            "stay in the graph all the way",
            f"Take nothing out of the graph around line {line}.",
            uncut_around,
            choice=CHOICE,
        )
    yield Prescription(
        "let the gradient pass",
        f"Let the gradient pass line {line} as if its step were not there.",
        passable,
        choice=CHOICE,
    )


def _cutting(statements: list[ast.stmt]) -> int:
    """How many statements take something out of the graph, or work on it as numpy."""
    return sum(bool(cuts_in(s)) or "np." in ast.unparse(s) for s in statements)


def _is_step(case: Case, line: int) -> bool:
    """Whether what cuts at a line is a step, which cannot be left out without another meaning."""
    cuts = [cut for s in _statements_at(case, line) if (cut := cut_in(s)) is not None]
    return bool(cuts) and all(name in STEPS or name == "a comparison" for _, name in cuts)


def _statements_at(case: Case, line: int) -> list[ast.stmt]:
    return [
        n
        for n in ast.walk(case.script.tree)
        if isinstance(n, SIMPLE) and n.lineno <= line <= (n.end_lineno or n.lineno)
    ]


def _statement_at(case: Case, line: int) -> ast.stmt:
    found = _statements_at(case, line)
    if not found:
        raise CannotEditError(f"No statement stands at line {line}.")
    return found[-1]


def _statements_around(case: Case, line: int) -> list[ast.stmt]:
    """The statements of the same function, or of the same loop outside of functions, between which values are handed on."""
    function = function_node(case, line)
    loops = [
        n for n in ast.walk(case.script.tree)
        if isinstance(n, (ast.For, ast.While)) and n.lineno <= line <= (n.end_lineno or n.lineno)
    ]  # fmt: skip
    holder: ast.AST | None = function if function is not None else max(loops, key=lambda n: n.lineno, default=None)
    if holder is None:
        return _statements_at(case, line)
    reached: set[str] = set()
    found: list[ast.stmt] = []
    for statement in sorted((n for n in ast.walk(holder) if isinstance(n, SIMPLE)), key=lambda n: n.lineno):
        names = {n.id for n in ast.walk(statement) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}
        there = statement.lineno <= line <= (statement.end_lineno or statement.lineno)
        if there or (reached & names and isinstance(statement, (ast.Assign, ast.Return))):
            found.append(statement)
            if isinstance(statement, ast.Assign):
                reached |= {n.id for t in statement.targets for n in ast.walk(t) if isinstance(n, ast.Name)}
    return found


def _uncut(edit: ScriptEdit, statements: list[ast.stmt]) -> None:
    """Leaves all cuts of some statements out; one that then gives a name its own value goes.

    Raises:
        CannotEditError: there are none.
    """
    found = False
    for statement in statements:
        value = getattr(statement, "value", None)
        if value is None:
            continue
        target = (
            dotted(statement.targets[0]) if isinstance(statement, ast.Assign) and len(statement.targets) == 1 else ""
        )
        if target and dotted(uncut(value)) == target and uncut(value) is not value:
            edit.remove_statement(statement.lineno)
            found = True
            continue
        for cut in cuts_in(value):
            edit.replace(edit.at(cut), without_cuts(cut))
            found = True
        found = _of_torch(edit, value) or found
    if not found:
        raise CannotEditError("Nothing is taken out of the graph there.")


def _of_torch(edit: ScriptEdit, value: ast.expr) -> bool:
    """`np.tanh(a)` becomes `torch.tanh(a)`, where it is no part of a cut that is left out."""
    within = {n for cut in cuts_in(value) for n in ast.walk(cut)}
    found = False
    for node in ast.walk(value):
        if (
            isinstance(node, ast.Call)
            and node not in within
            and dotted(node.func).rpartition(".")[0] in ("np", "numpy")
        ):
            name = dotted(node.func).rpartition(".")[2]
            if name not in SHARED:
                raise CannotEditError(f"torch has no {name} of the same form.")
            edit.replace(edit.at(node.func), f"torch.{'cat' if name == 'concatenate' else name}")
            found = True
    return found
