"""Outputs and targets of one shape, where they meet; or an output without its last axis."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from osler.doctor.case import Case
from osler.doctor.checks.shape_broadcast import ELEMENTWISE, makes_table
from osler.doctor.mending.layer_edit import put_behind
from osler.doctor.mending.prescription import Prescription, prescribes
from osler.doctor.mending.script_edit import CannotEditError, ScriptEdit
from osler.doctor.script_reading import dotted
from osler.structures.finding import Finding
from osler.vitals.evidence import Broadcast, LossSeen

OPERATIONS: dict[str, tuple[type[ast.AST], ...]] = {"sub": (ast.Sub,), "mul": (ast.Mult,), "eq": (ast.Eq,)}
FUNCTIONS = {"sub": ("sub", "subtract"), "mul": ("mul", "multiply"), "eq": ("eq",)}
CHOICE = "shape of outputs and targets"
Shape = tuple[int, ...]


@dataclass(frozen=True)
class Pair:
    """Two expressions that meet, the shapes of their values, and which of them is the output (0 or 1)."""

    sides: tuple[ast.expr, ast.expr]
    shapes: tuple[Shape, Shape]
    output: int

    @property
    def target(self) -> tuple[ast.expr, Shape]:
        """The target's expression and shape."""
        return self.sides[1 - self.output], self.shapes[1 - self.output]


@prescribes("shape-broadcast")
def prescribe(finding: Finding, case: Case) -> Iterator[Prescription]:
    """The target with the output's shape, wherever the two meet; the output with the target's; the same in the network."""
    line = finding.where.line
    pairs = list(_pairs(case))
    here = [p for p in pairs if line is not None and any(_on(s, line) for s in p.sides)] or pairs[:1]
    if not here:
        return
    everywhere = sorted(
        [*here, *(p for p in pairs if p not in here)], key=lambda p: not isinstance(p.target[0], ast.Name)
    )

    def target(edit: ScriptEdit) -> None:
        done: set[ast.AST] = set()
        for pair in everywhere:
            _reshape(edit, case, pair.target[0], _suffix(pair.target[1]), done)

    def output(edit: ScriptEdit) -> None:
        done: set[ast.AST] = set()
        for pair in everywhere:
            side, shape = pair.sides[pair.output], pair.shapes[pair.output]
            if len(pair.target[1]) != 1 or len(shape) != 2:
                raise CannotEditError("The output has no axis too many.")
            _reshape(edit, case, side, ".squeeze(1)", done)

    def network(edit: ScriptEdit) -> None:
        _squeeze_network(edit, case)

    told = (
        f"Give the target at line {here[0].sides[0].lineno} the output's shape, with {_suffix(here[0].target[1])[1:]}."
    )
    yield Prescription("one shape", told, target, choice=CHOICE, changes_loss=True)
    if len(here[0].target[1]) == 1:
        taken = "Take the output's last axis away, "
        yield Prescription(
            "output as the target", taken + "where it meets the target.", output, choice=CHOICE, changes_loss=True
        )
        yield Prescription(
            "output without its last axis", taken + "in the network.", network, choice=CHOICE, changes_loss=True
        )


def _suffix(target: Shape) -> str:
    """What gives the target the output's shape."""
    if len(target) == 1:
        return ".unsqueeze(1)"
    return ".squeeze(1)" if target[-1] == 1 else ".reshape(-1, 1)"


def _on(node: ast.expr, line: int) -> bool:
    return node.lineno <= line <= (node.end_lineno or node.lineno)


# ---- where they meet


def _pairs(case: Case) -> Iterator[Pair]:
    """Every place at which the evidence saw a table made of outputs and targets."""
    seen: set[tuple[int, int]] = set()
    for pair in [*_of_losses(case), *_of_operations(case)]:
        place = (pair.sides[0].lineno, pair.sides[0].col_offset)
        if place not in seen:
            seen.add(place)
            yield pair


def _of_losses(case: Case) -> Iterator[Pair]:
    for loss in case.evidence.losses:
        shapes = [
            (s.input.shape, s.target.shape)
            for s in loss.samples
            if s.target is not None and makes_table(s.input.shape, s.target.shape)
        ]
        call = _call(case, loss) if shapes and loss.function in ELEMENTWISE else None
        if call is not None:
            first = _given(call, "input", 0)
            second = _given(call, "target", 1)
            if first is not None and second is not None:
                yield Pair((first, second), shapes[0], 0)


def _given(call: ast.Call, name: str, place: int) -> ast.expr | None:
    by_name = next((k.value for k in call.keywords if k.arg == name), None)
    return by_name or (call.args[place] if place < len(call.args) else None)


def _call(case: Case, loss: LossSeen) -> ast.Call | None:
    """The call of a loss at its line: that of its name, or of something that the program calls a loss, with two arguments."""
    if loss.site is None:
        return None
    calls = [
        c for c in case.script.calls
        if _on(c.node, loss.site.line) and _given(c.node, "input", 0) is not None and _given(c.node, "target", 1) is not None
    ]  # fmt: skip
    made = {
        n
        for a in case.script.assignments
        if isinstance(a.value, ast.Call) and "Loss" in dotted(a.value.func)
        for n in a.names
    }
    known = [c for c in calls if c.last == loss.function or c.name in made or "Loss" in c.name]
    named = [
        c for c in calls if any(word in c.name.lower() for word in ("loss", "crit", "mse", "bce", "objective", "cost"))
    ]
    found = known or named or calls
    return found[-1].node if found else None


def _of_operations(case: Case) -> Iterator[Pair]:
    for seen in case.evidence.broadcasts:
        if seen.same or seen.site is None or not makes_table(*seen.shapes) or all(seen.sides):
            continue
        if any(word in _line(case, seen.site.line) for word in ("None", ".T", ".t()", "cdist")):
            continue
        for sides in _operands(case, seen):
            yield Pair(sides, seen.shapes, _output_of(seen))
            break


def _line(case: Case, number: int) -> str:
    return case.script.lines[number - 1] if 0 < number <= len(case.script.lines) else ""


def _output_of(seen: Broadcast) -> int:
    """The side through which a gradient runs; where none does, the one with an axis of length 1."""
    if sum(seen.sides) == 1 and seen.learns:
        return 0 if seen.sides[0] else 1
    return 0 if len(seen.shapes[0]) == 2 else 1


def _operands(case: Case, seen: Broadcast) -> Iterator[tuple[ast.expr, ast.expr]]:
    """The two sides of each such operation at the line."""
    assert seen.site is not None
    kinds, functions = OPERATIONS.get(seen.operation, ()), FUNCTIONS.get(seen.operation, ())
    for node in ast.walk(case.script.tree):
        if not isinstance(node, ast.expr) or not _on(node, seen.site.line):
            continue
        if isinstance(node, ast.BinOp) and isinstance(node.op, kinds):
            if not any(isinstance(side, ast.Constant) for side in (node.left, node.right)):
                yield node.left, node.right
        elif isinstance(node, ast.Compare) and len(node.ops) == 1 and isinstance(node.ops[0], kinds):
            yield node.left, node.comparators[0]
        elif isinstance(node, ast.Call) and dotted(node.func).rpartition(".")[2] in functions:
            if len(node.args) == 2:
                yield node.args[0], node.args[1]
            elif len(node.args) == 1 and isinstance(node.func, ast.Attribute):
                yield node.func.value, node.args[0]


# ---- the edits


def _reshape(edit: ScriptEdit, case: Case, side: ast.expr, suffix: str, done: set[ast.AST]) -> None:
    """Puts a change of shape behind an expression; a name is reshaped at each of its uses in the statement."""
    statement = next(
        (n for n in reversed(list(ast.walk(case.script.tree)))
         if isinstance(n, (ast.Assign, ast.AugAssign, ast.AnnAssign, ast.Return, ast.Expr)) and _holds(n, side)), None,
    )  # fmt: skip
    sides: list[ast.expr] = [side]
    if isinstance(side, ast.Name) and statement is not None:
        sides = [
            n for n in ast.walk(statement)
            if isinstance(n, ast.Name) and n.id == side.id and isinstance(n.ctx, ast.Load) and not _is_measured(n, statement)
        ] or sides  # fmt: skip
    for each in sides:
        parts = {part for part in ast.walk(each) if isinstance(part, ast.expr)}  # contexts are shared by all of a tree
        if parts & done:
            continue
        done |= parts
        node = edit.at(each)
        plain = isinstance(each, (ast.Name, ast.Attribute, ast.Call, ast.Subscript)) or edit.code(node).startswith("(")
        edit.wrap(node, f"{{}}{suffix}" if plain else f"({{}}){suffix}")


def _holds(node: ast.AST, inner: ast.AST) -> bool:
    return any(n is inner for n in ast.walk(node))


def _is_measured(name: ast.Name, statement: ast.AST) -> bool:
    """Whether a name is read for its length or shape alone, as in `len(y)` and `y.shape`."""
    for node in ast.walk(statement):
        if isinstance(node, ast.Call) and dotted(node.func) == "len" and name in node.args:
            return True
        if (
            isinstance(node, ast.Attribute)
            and node.value is name
            and node.attr in ("shape", "size", "numel", "ndim", "dtype")
        ):
            return True
    return False


def _squeeze_network(edit: ScriptEdit, case: Case) -> None:
    """Takes the last axis off what the network returns; of a Sequential with a last layer that flattens."""
    model = case.models[0]
    forward = case.script.functions().get(f"{model.kind}.forward")
    if forward is not None:
        returned = [n for n in ast.walk(forward) if isinstance(n, ast.Return) and n.value is not None]
        if len(returned) != 1 or returned[0].value is None:
            raise CannotEditError("The network returns at several places.")
        _reshape(edit, case, returned[0].value, ".squeeze(1)", set())
        return
    last = [x.name for x in case.layers(model) if x.leaf and not x.name.endswith(")")]
    if not last:
        raise CannotEditError("The last layer is not known.")
    put_behind(edit, case, last[-1], "Flatten(0)")
