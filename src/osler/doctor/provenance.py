"""Where a value of the script comes from: the expressions through which it went, nearest first, by the syntax tree.

Names are followed through assignments, loops, functions of the script (into what they return and out to what they are
called with), classes of data sets (into `__getitem__` and to what `self` holds) and the loaders and splits of PyTorch
and scikit-learn. Which part of a tuple is meant is kept, so that pictures and labels that travel together stay apart.
It is a reading, not a proof: where it cannot tell, it follows everything.
"""

import ast
from collections import deque
from dataclasses import dataclass, replace

from osler.doctor.flow_reading import FlowReading, Parts, calls_in, values_read
from osler.doctor.script_reading import dotted

SAME_SAMPLES = {"Subset", "DataLoader", "ConcatDataset", "iter", "next", "tqdm", "list", "tuple", "cycle", "reversed"}
SIZES = {"len", "size", "numel", "dim", "shape", "dtype", "device", "ndim"}  # what says how much there is, not what
STEPS_MOST = 600


@dataclass(frozen=True, slots=True)
class Step:
    """An expression or statement through which a value went."""

    node: ast.AST
    scope: str  # the function, "" outside of any
    depth: int  # how many names back
    in_place: bool = False  # a statement that changes what a name holds

    @property
    def line(self) -> int:
        """Where it begins."""
        return int(getattr(self.node, "lineno", 0))

    @property
    def text(self) -> str:
        """As source."""
        return ast.unparse(self.node)

    @property
    def calls(self) -> list[ast.Call]:
        """The calls in it, outermost first."""
        return calls_in(self.node)


@dataclass(frozen=True, slots=True)
class _At:
    """A value that is to be followed: where it is used, which part of it, and through which calls we came."""

    node: ast.expr
    scope: str
    line: int
    parts: Parts = ()
    depth: int = 0
    entered: tuple[tuple[str, ast.Call], ...] = ()

    def to(self, node: ast.expr, parts: Parts = ()) -> "_At":
        """Another expression of the same statement."""
        return replace(self, node=node, parts=parts)

    def back(self, node: ast.expr, scope: str, line: int, parts: Parts = ()) -> "_At":
        """An expression elsewhere."""
        return replace(self, node=node, scope=scope, line=line, parts=parts, depth=self.depth + 1)


def trace(flow: FlowReading, expression: ast.expr, scope: str, parts: Parts = ()) -> list[Step]:
    """The steps from which an expression's value comes, itself first, nearest first."""
    return _Walk(flow).walk(_At(expression, scope, expression.lineno, parts))


class _Walk:
    """One value, followed back."""

    def __init__(self, flow: FlowReading) -> None:
        self._flow = flow
        self._waiting: deque[_At] = deque()
        self._steps: dict[int, Step] = {}

    def walk(self, start: _At) -> list[Step]:
        self._step(start.node, start.scope, 0)
        self._waiting.append(start)
        seen: set[tuple[int, Parts, tuple[int, ...]]] = set()
        while self._waiting and len(seen) < STEPS_MOST:
            at = self._waiting.popleft()
            state = id(at.node), at.parts, tuple(id(call) for _, call in at.entered)
            if state not in seen:
                seen.add(state)
                self._follow(at)
        return list(self._steps.values())

    def _step(self, node: ast.AST, scope: str, depth: int, in_place: bool = False) -> None:
        self._steps.setdefault(id(node), Step(node, scope, depth, in_place))

    def _follow(self, at: _At) -> None:
        node, parts = at.node, at.parts
        go = self._waiting.append
        if (
            isinstance(node, (ast.Tuple, ast.List))
            and parts
            and isinstance(parts[0], int)
            and parts[0] < len(node.elts)
        ):
            go(at.to(node.elts[parts[0]], parts[1:]))
        elif isinstance(node, ast.Dict) and parts and isinstance(parts[0], str):
            for key, value in zip(node.keys, node.values, strict=True):
                if isinstance(key, ast.Constant) and key.value == parts[0]:
                    go(at.to(value, parts[1:]))
        elif isinstance(node, ast.Name) or (isinstance(node, ast.Attribute) and dotted(node).startswith("self.")):
            self._follow_name(at, dotted(node))
        elif isinstance(node, ast.Attribute) and node.attr in SIZES:
            return
        elif isinstance(node, ast.Attribute):
            self._follow_option(at, node.attr)
            go(at.to(node.value, parts))
        elif isinstance(node, ast.Subscript):
            self._follow_index(at, node)
        elif isinstance(node, ast.Call):
            self._follow_call(at, node)
        elif isinstance(node, ast.IfExp):
            go(at.to(node.body, parts))
            go(at.to(node.orelse, parts))
        elif isinstance(node, (ast.Starred, ast.Await, ast.NamedExpr)):
            go(at.to(node.value, parts))
        elif not isinstance(node, ast.Lambda):
            for child in ast.iter_child_nodes(node):
                if isinstance(child, ast.comprehension):
                    go(at.to(child.iter))
                elif isinstance(child, ast.expr):
                    go(at.to(child))

    def _follow_index(self, at: _At, node: ast.Subscript) -> None:
        index = node.slice
        chosen = index.value if isinstance(index, ast.Constant) and isinstance(index.value, (int, str)) else None
        self._waiting.append(at.to(node.value, at.parts if chosen is None else (chosen, *at.parts)))
        self._waiting.append(at.to(index))

    def _follow_name(self, at: _At, name: str) -> None:
        flow = self._flow
        if name in flow.imported:
            return
        key, inside = flow.key(at.scope, name), True
        while key not in flow.binds and name not in flow.parameters.get(key[0], ()) and key[0]:
            key, inside = (key[0].rpartition(".")[0], name), name.startswith("self.")
        line = at.line if inside else 10**9
        for bind in flow.reaching(key, line, at.scope):
            self._step(bind.value if isinstance(bind.statement, (ast.For, ast.comprehension, ast.withitem)) else bind.statement,
                       bind.scope, at.depth)  # fmt: skip
            self._waiting.append(at.back(bind.value, bind.scope, bind.line, (*bind.parts, *at.parts)))
        for statement, scope in flow.touched.get(key, ()):
            if scope != at.scope or statement.lineno <= line or name.startswith("self."):
                self._step(statement, scope, at.depth, in_place=True)
                for value in values_read(statement):
                    self._waiting.append(at.back(value, scope, statement.lineno))
        if name in flow.parameters.get(key[0], ()):
            self._follow_out(at, key[0], name)

    def _follow_out(self, at: _At, function: str, name: str) -> None:
        """From a parameter to what callers give: the call by which we came, else all."""
        flow, names = self._flow, self._flow.parameters[function]
        short = flow.name_of(function)
        method = bool(names) and names[0] in ("self", "cls")
        place = names.index(name) - int(method)
        came = [call for entered, call in at.entered if entered == short]
        for call, where in flow.called.get(short, ()):
            if came and call not in came:
                continue
            given = next((k.value for k in call.keywords if k.arg == name), None)
            if given is None and 0 <= place < len(call.args) and not any(isinstance(a, ast.Starred) for a in call.args):
                given = call.args[place]
            if given is not None:
                self._step(call, where, at.depth)
                self._waiting.append(at.back(given, where, call.lineno, at.parts))

    def _follow_option(self, at: _At, name: str) -> None:
        """`args.samples`: the line of `add_argument("--samples")`."""
        for call, where in self._flow.called.get("add_argument", ()):
            names = [a.value for a in call.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
            if any(n.lstrip("-").replace("-", "_") == name for n in names):
                self._step(call, where, at.depth)

    def _follow_call(self, at: _At, call: ast.Call) -> None:
        flow, name, go = self._flow, dotted(call.func), self._waiting.append
        last = name.rpartition(".")[2]
        if last in SIZES:
            return
        into = flow.entered(name, at.scope) or called_functions(flow, call.func, at.scope)
        self._enter(at, call, into)
        if into or last in ("parse_args", "parse_known_args"):
            return
        chosen = self._chosen(last, call, at.parts)
        if chosen is not None:
            go(at.to(*chosen))
            return
        same = last in SAME_SAMPLES
        for place, argument in enumerate(call.args):
            go(at.to(argument, at.parts if same and place == 0 else ()))
        for keyword in call.keywords:
            go(at.to(keyword.value))
            if keyword.arg == "collate_fn":
                self._enter(at, call, called_functions(flow, keyword.value, at.scope))
        if isinstance(call.func, ast.Attribute):
            go(at.to(call.func.value, at.parts))

    def _enter(self, at: _At, call: ast.Call, functions: list[str]) -> None:
        """Goes on at what the functions return, and remembers the call, so that their parameters lead back to it."""
        flow, last = self._flow, dotted(call.func).rpartition(".")[2]
        for function in functions:
            self._step(call, at.scope, at.depth)
            entered = ((flow.name_of(function) if last not in flow.classes else last, call), *at.entered)[:6]
            for value, line in flow.returns.get(function, ()):
                self._step(value, function, at.depth + 1)
                self._waiting.append(replace(at.back(value, function, line, at.parts), entered=entered))

    @staticmethod
    def _chosen(last: str, call: ast.Call, parts: Parts) -> tuple[ast.expr, Parts] | None:
        """The one argument that a part of the value comes from, where the function is known to keep them apart."""
        arguments = call.args
        if not arguments or not parts or not isinstance(parts[0], int):
            return None
        if last == "train_test_split" and parts[0] // 2 < len(arguments):
            return arguments[parts[0] // 2], parts[1:]
        if last in ("zip", "TensorDataset"):
            if isinstance(arguments[0], ast.Starred):
                return arguments[0], parts
            return (arguments[parts[0]], parts[1:]) if parts[0] < len(arguments) else None
        if last == "enumerate":
            return (arguments[0], parts[1:]) if parts[0] == 1 else None
        if last == "random_split":
            return arguments[0], parts[1:]
        return None


def called_functions(flow: FlowReading, function: ast.expr, scope: str, depth: int = 5) -> list[str]:
    """The functions of the script that a value may be, when it is called: `self.transform`, `augment`, "
    "`Jitter(0.1)`, a list of them."""
    if depth == 0:
        return []
    inner = lambda node, where=scope: called_functions(flow, node, where, depth - 1)  # noqa: E731
    if isinstance(function, ast.Lambda):
        end = f"<lambda {function.lineno}:{function.col_offset}>"
        return [f for f in flow.parameters if f.endswith(end)]
    if isinstance(function, (ast.List, ast.Tuple)):
        return [f for element in reversed(function.elts) for f in inner(element)]  # the last is nearest to the network
    if isinstance(function, ast.IfExp):
        return [*inner(function.body), *inner(function.orelse)]
    if isinstance(function, ast.Call):
        made = dotted(function.func).rpartition(".")[2]
        if made in flow.classes:
            return [f for f in flow.functions if f.endswith((f"{made}.__call__", f"{made}.forward"))][:1]
        return (
            [f for a in (*function.args, *(k.value for k in function.keywords)) for f in inner(a)]
            if made == "partial"
            else []
        )
    name = dotted(function)
    if not name or (isinstance(function, ast.Attribute) and not name.startswith("self.")) or name in flow.imported:
        return []
    if name in flow.functions:
        return [name]
    return _bound_functions(flow, name, scope, depth)


def _bound_functions(flow: FlowReading, name: str, scope: str, depth: int) -> list[str]:
    """What a name, an attribute of `self` or a parameter may hold."""
    key = flow.key(scope, name)
    while key not in flow.binds and name not in flow.parameters.get(key[0], ()) and key[0]:
        key = (key[0].rpartition(".")[0], name)
    found = [f for bind in flow.binds.get(key, ()) for f in called_functions(flow, bind.value, bind.scope, depth - 1)]
    parameters = flow.parameters.get(key[0], [])
    if name in parameters:
        place = parameters.index(name) - int(parameters[0] in ("self", "cls"))
        for call, where in flow.called.get(flow.name_of(key[0]), ()):
            given = next((k.value for k in call.keywords if k.arg == name), None)
            if given is None and 0 <= place < len(call.args):
                given = call.args[place]
            if given is not None:
                found += called_functions(flow, given, where, depth - 1)
    return list(dict.fromkeys(found))
