"""The person's script as text: calls, assignments and where names come from, by its syntax tree.

A script that is no valid Python, or no script at all (a loop in a notebook), reads as empty.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True)
class CallRead:
    """A call in the script."""

    name: str  # as written: `F.cross_entropy`, `optimizer.step`
    line: int
    node: ast.Call
    function: str  # the function that it stands in, "" at the outermost level; methods as `Class.method`
    loop: bool  # inside of a for or while

    @property
    def last(self) -> str:
        """The last part of the name: `step` of `optimizer.step`."""
        return self.name.rpartition(".")[2]

    def keyword(self, name: str) -> ast.expr | None:
        """The value of an argument given by name."""
        return next((k.value for k in self.node.keywords if k.arg == name), None)

    def text(self) -> str:
        """The call as source text."""
        return ast.unparse(self.node)


@dataclass(frozen=True)
class AssignmentRead:
    """An assignment, also of a loop's variable or a `with`'s."""

    names: tuple[str, ...]  # as written: `x`, `self.scale`, `X[idx]` counts as `X`
    value: ast.expr
    line: int
    function: str


class ScriptReading:
    """A script's source, read."""

    def __init__(self, source: str = "", file: str = "") -> None:
        self.source, self.file = source, file
        self.lines = source.splitlines()
        try:
            self.tree: ast.Module = ast.parse(source)
        except (SyntaxError, ValueError):
            self.tree = ast.Module([], [])

    @cached_property
    def calls(self) -> list[CallRead]:
        """Every call, in the order of lines."""
        found = [
            CallRead(dotted(node.func), node.lineno, node, function, loop)
            for node, function, loop in self._walk()
            if isinstance(node, ast.Call)
        ]
        return sorted(found, key=lambda c: (c.line, c.node.col_offset))

    @cached_property
    def assignments(self) -> list[AssignmentRead]:
        """Every assignment, in the order of lines."""
        found = []
        for node, function, _ in self._walk():
            if isinstance(node, (ast.Assign, ast.AnnAssign, ast.AugAssign, ast.NamedExpr)) and node.value is not None:
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                names = tuple(name for t in targets for name in _names(t))
                found.append(AssignmentRead(names, node.value, node.lineno, function))
            elif isinstance(node, ast.For):
                found.append(AssignmentRead(tuple(_names(node.target)), node.iter, node.lineno, function))
        return sorted(found, key=lambda a: a.line)

    def calls_of(self, *last_names: str) -> list[CallRead]:
        """The calls whose last name is one of these: `calls_of("step")` finds `optimizer.step()`."""
        return [c for c in self.calls if c.last in last_names]

    def first_line(self, *last_names: str) -> int | None:
        """The line of the first such call."""
        return next((c.line for c in self.calls_of(*last_names)), None)

    def functions(self) -> dict[str, ast.FunctionDef | ast.AsyncFunctionDef]:
        """Functions by qualified name."""
        return {
            (f"{within}.{node.name}" if within else node.name): node
            for node, within, _ in self._walk()
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        }

    def classes(self) -> dict[str, ast.ClassDef]:
        """Classes by name."""
        return {node.name: node for node, _, _ in self._walk() if isinstance(node, ast.ClassDef)}

    def slice_of(self, name: str, before: int | None = None, depth: int = 6) -> list[AssignmentRead]:
        """The assignments from which a name's value comes, nearest first, functions of the script looked into.

        `before` leaves out what stands after that line. Good enough to find the line at which data were made; it does
        not follow attributes through objects.
        """
        found: list[AssignmentRead] = []
        self._slice({name}, before or 10**9, depth, found)
        return found

    # ---- inside

    def _slice(self, names: set[str], before: int, depth: int, found: list[AssignmentRead]) -> None:
        if depth == 0:
            return
        for assignment in sorted(self.assignments, key=lambda a: -a.line):
            if assignment in found or assignment.line > before or not names & set(assignment.names):
                continue
            found.append(assignment)
            inner = {n.id for n in ast.walk(assignment.value) if isinstance(n, ast.Name)}
            self._slice(inner, assignment.line, depth - 1, found)
            for called in inner & set(self.functions()):
                self._slice_returns(self.functions()[called], depth - 1, found)

    def _slice_returns(self, function: ast.AST, depth: int, found: list[AssignmentRead]) -> None:
        for node in ast.walk(function):
            if isinstance(node, ast.Return) and node.value is not None:
                read = AssignmentRead(("return",), node.value, node.lineno, getattr(function, "name", ""))
                if read not in found:
                    found.append(read)
                    names = {n.id for n in ast.walk(node.value) if isinstance(n, ast.Name)}
                    self._slice(names, node.lineno, depth, found)

    def _walk(self) -> Iterator[tuple[ast.AST, str, bool]]:
        """Every node with the function that it stands in and whether it stands in a loop."""
        yield from self._inside(self.tree, "", False)

    def _inside(self, node: ast.AST, within: str, loop: bool) -> Iterator[tuple[ast.AST, str, bool]]:
        for child in ast.iter_child_nodes(node):
            yield child, within, loop
            if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                yield from self._inside(child, f"{within}.{child.name}" if within else child.name, False)
            else:
                inner = loop or isinstance(child, (ast.For, ast.While, ast.AsyncFor))
                yield from self._inside(child, within, inner)


def dotted(node: ast.AST) -> str:
    """A name as written, `a.b.c`; of what is called or indexed on the way `()` and `[]` stand in its place."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    if isinstance(node, ast.Call):
        return f"{dotted(node.func)}()"
    if isinstance(node, ast.Subscript):
        return f"{dotted(node.value)}[]"
    return ""


def _names(target: ast.expr) -> Iterator[str]:
    if isinstance(target, (ast.Tuple, ast.List)):
        for part in target.elts:
            yield from _names(part)
    elif isinstance(target, (ast.Starred, ast.Subscript)):
        yield from _names(target.value)
    elif name := dotted(target):
        yield name
