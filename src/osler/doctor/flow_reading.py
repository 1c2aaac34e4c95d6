"""What a script assigns, changes in place, returns and calls, by function: the ground on which values are followed."""

import ast
from collections import defaultdict, deque
from dataclasses import dataclass

from osler.doctor.script_reading import ScriptReading, dotted

Parts = tuple[int | str, ...]  # which element of a tuple or dictionary is meant, the outermost first
Key = tuple[str, str]  # the function (of `self.x` the class), and the name
BLOCKS = (ast.For, ast.While, ast.If, ast.With, ast.Try, ast.ExceptHandler)


@dataclass(frozen=True, slots=True)
class Bind:
    """A name that is given a value."""

    value: ast.expr
    line: int
    parts: Parts
    blocks: tuple[int, ...]  # the loops, conditions and so on that it stands in
    statement: ast.AST
    scope: str


class FlowReading:
    """The assignments, calls and returns of a script."""

    def __init__(self, script: ScriptReading) -> None:
        self.script = script
        self.functions = script.functions()
        self.classes = script.classes()
        self.binds: dict[Key, list[Bind]] = defaultdict(list)
        self.touched: dict[Key, list[tuple[ast.stmt, str]]] = defaultdict(list)
        self.returns: dict[str, list[tuple[ast.expr, int]]] = defaultdict(list)
        self.called: dict[str, list[tuple[ast.Call, str]]] = defaultdict(list)
        self.parameters: dict[str, list[str]] = {}
        self.imported: set[str] = set()
        self._scopes: list[tuple[int, int, str]] = []
        self._blocks_at: dict[tuple[str, int], tuple[int, ...]] = {}
        self._read(script.tree, "", ())

    def scope_at(self, line: int) -> str:
        """The innermost function that holds a line."""
        inside = [s for s in self._scopes if s[0] <= line <= s[1]]
        return min(inside, key=lambda s: s[1] - s[0])[2] if inside else ""

    def key(self, scope: str, name: str) -> Key:
        """Under which a name's values are filed: what belongs to `self` is known by its class."""
        return (scope.rpartition(".")[0], name) if name.startswith("self.") else (scope, name)

    def reaching(self, key: Key, line: int, scope: str) -> list[Bind]:
        """The assignments that a use at that line can see, nearest first: back to the first that always runs before it."""
        found = sorted(self.binds.get(key, ()), key=lambda b: -b.line)
        before = [b for b in found if b.line <= line] or found
        use = self._blocks_at.get((scope, line))
        if use is None or key[1].startswith("self.") or scope != key[0]:
            return before
        reaching = []
        for bind in before:
            reaching.append(bind)
            loop = isinstance(bind.statement, (ast.For, ast.AsyncFor))
            if bind.blocks == use[: len(bind.blocks)] and (bind.line < line or loop):
                break
        return reaching

    def entered(self, name: str, scope: str) -> list[str]:
        """The functions of the script that a call of that name enters; of a class those that give its samples."""
        last = name.rpartition(".")[2]
        if last in self.classes:
            ways = tuple(f"{last}.{way}" for way in ("__getitem__", "__iter__", "__call__"))
            return [f for f in self.functions if f.endswith(ways)]
        if name.startswith("self."):
            own = f"{scope.rpartition('.')[0]}.{last}"
            return [own] if own in self.functions else []
        if name.count(".") <= 1 and name.partition(".")[0] not in self.imported:
            plain = [f for f in self.functions if f == last or f.endswith(f".{last}")]
            if plain:
                return plain
        return [
            found
            for key in ((scope, name), ("", name))
            for bind in self.binds.get(key, ())
            if isinstance(bind.value, ast.Lambda) and (found := self._lambda(bind.value))
        ]

    def name_of(self, function: str) -> str:
        """The name by which a function is called: of a constructor its class's, of a lambda the variable's."""
        last = function.rpartition(".")[2]
        if last == "__init__":
            return function.split(".")[-2]
        if not last.startswith("<lambda"):
            return last
        for (_, name), binds in self.binds.items():
            if any(isinstance(b.value, ast.Lambda) and self._lambda(b.value) == function for b in binds):
                return name.rpartition(".")[2]
        return ""

    # ---- reading the tree once

    def _lambda(self, node: ast.Lambda) -> str:
        end = f"<lambda {node.lineno}:{node.col_offset}>"
        return next((s for s in self.parameters if s.endswith(end)), "")

    def _read(self, node: ast.AST, scope: str, blocks: tuple[int, ...]) -> None:
        for child in ast.iter_child_nodes(node):
            inner, path = scope, blocks
            if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                inner, path = (f"{scope}.{child.name}" if scope else child.name), ()
                if not isinstance(child, ast.ClassDef):
                    self._open(child, inner)
            elif isinstance(child, ast.Lambda):
                inner = f"{scope}.<lambda {child.lineno}:{child.col_offset}>"
                self._open(child, inner)
                self.returns[inner].append((child.body, child.lineno))
            elif isinstance(child, BLOCKS):
                path = (*blocks, id(child))
            if isinstance(child, ast.stmt):
                for line in range(child.lineno, (child.end_lineno or child.lineno) + 1):
                    self._blocks_at[scope, line] = blocks
            self._note(child, scope, path if isinstance(child, (ast.For, ast.With)) else blocks)
            self._read(child, inner, path)

    def _open(self, function: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda, scope: str) -> None:
        arguments = function.args
        self.parameters[scope] = [a.arg for a in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
        self._scopes.append((function.lineno, function.end_lineno or function.lineno, scope))

    def _note(self, node: ast.AST, scope: str, blocks: tuple[int, ...]) -> None:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            self.imported.update((a.asname or a.name).partition(".")[0] for a in node.names)
        elif isinstance(node, ast.Assign):
            for target in node.targets:
                self._bind(target, node.value, node, scope, blocks)
        elif isinstance(node, (ast.AnnAssign, ast.NamedExpr)) and node.value is not None:
            self._bind(node.target, node.value, node, scope, blocks)
        elif isinstance(node, ast.AugAssign):
            self._touch(node.target, node, scope)
        elif isinstance(node, (ast.For, ast.AsyncFor, ast.comprehension)):
            self._bind(node.target, node.iter, node, scope, blocks)
        elif isinstance(node, ast.withitem) and node.optional_vars is not None:
            self._bind(node.optional_vars, node.context_expr, node, scope, blocks)
        elif isinstance(node, (ast.Return, ast.Yield)) and node.value is not None:
            self.returns[scope].append((node.value, node.lineno))
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            self._touch_by_call(node.value, node, scope)
        elif isinstance(node, ast.Call):
            self.called[dotted(node.func).rpartition(".")[2]].append((node, scope))

    def _bind(
        self,
        target: ast.expr,
        value: ast.expr,
        statement: ast.AST,
        scope: str,
        blocks: tuple[int, ...],
        parts: Parts = (),
    ) -> None:
        if isinstance(target, (ast.Tuple, ast.List)):
            for place, element in enumerate(target.elts):
                self._bind(element, value, statement, scope, blocks, (*parts, place))
        elif isinstance(target, ast.Starred):
            self._bind(target.value, value, statement, scope, blocks)
        elif isinstance(target, ast.Subscript):
            if isinstance(statement, ast.stmt):
                self._touch(target, statement, scope)
        elif name := dotted(target):
            line = getattr(statement, "lineno", target.lineno)
            self.binds[self.key(scope, name)].append(Bind(value, line, parts, blocks, statement, scope))

    def _touch(self, target: ast.expr, statement: ast.stmt, scope: str) -> None:
        while isinstance(target, ast.Subscript) or (isinstance(target, ast.Attribute) and target.attr in ("data", "T")):
            target = target.value
        if name := dotted(target):
            self.touched[self.key(scope, name)].append((statement, scope))

    def _touch_by_call(self, call: ast.Call, statement: ast.stmt, scope: str) -> None:
        """`x.div_(255)`, `xs.append(x)`, `rng.shuffle(x)`, `cv2.circle(picture, ...)`: calls whose value nobody takes."""
        if isinstance(call.func, ast.Attribute):
            self._touch(call.func.value, statement, scope)
        if dotted(call.func) in self.functions:
            return
        for argument in call.args[:1]:
            if isinstance(argument, (ast.Name, ast.Attribute, ast.Subscript)):
                self._touch(argument, statement, scope)


def values_read(statement: ast.stmt) -> list[ast.expr]:
    """What a statement that changes something in place reads."""
    if isinstance(statement, (ast.Assign, ast.AugAssign)):
        return [statement.value]
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
        return [*statement.value.args, *(k.value for k in statement.value.keywords)]
    return []


def calls_in(node: ast.AST) -> list[ast.Call]:
    """The calls in a piece of the tree, outermost first."""
    found: list[ast.Call] = []
    waiting: deque[ast.AST] = deque([node])
    while waiting:
        part = waiting.popleft()
        if isinstance(part, ast.Call):
            found.append(part)
        waiting.extend(ast.iter_child_nodes(part))
    return found
