"""The making of a layer as it can stand in a constructor: sizes that only a pass knows as numbers, or left to a lazy layer."""

import ast

from osler.doctor.case import Case
from osler.doctor.mending.class_edit import Function, method
from osler.doctor.mending.number_edit import number
from osler.doctor.mending.script_edit import CannotEditError
from osler.doctor.script_reading import dotted

# Where the inputs and outputs of a layer stand in the shape of its weights.
AXES = {"Linear": (1, 0), "Conv1d": (1, 0), "Conv2d": (1, 0), "Conv3d": (1, 0), "BatchNorm1d": (0,), "BatchNorm2d": (0,),
        "BatchNorm3d": (0,), "LayerNorm": (0,), "Embedding": (0, 1)}  # fmt: skip
RANKS = {"Linear": 2, "Conv1d": 3, "Conv2d": 4, "Conv3d": 5, "BatchNorm1d": 1, "BatchNorm2d": 1, "BatchNorm3d": 1,
         "LayerNorm": 1, "Embedding": 2}  # fmt: skip
NAMES = {"in_features": 0, "out_features": 1, "in_channels": 0, "out_channels": 1, "num_features": 0, "normalized_shape": 0,
         "num_embeddings": 0, "embedding_dim": 1}  # fmt: skip
LAZY = ("Linear", "Conv1d", "Conv2d", "Conv3d", "BatchNorm1d", "BatchNorm2d", "BatchNorm3d")


def settled(case: Case, kind: str, function: Function, made: ast.Call, *, lazy: bool) -> str:
    """The making of a layer as text, without names that only `function`, a method of the class `kind`, knows.

    Raises:
        CannotEditError: such a name is left.
    """
    known = _Known(case, kind, function)
    tree = ast.parse(ast.unparse(made), mode="eval")
    settling = _Lazily(known) if lazy else _Numbers(known)
    settled_tree = ast.fix_missing_locations(settling.visit(tree))
    left = known.foreign(settled_tree)
    if left:
        raise CannotEditError(f"The layer depends on {', '.join(sorted(left))}, which only the pass knows.")
    if lazy and not settling.changed:
        raise CannotEditError("No size is taken from the input.")
    return ast.unparse(settled_tree)


class _Known:
    """What a constructor knows of what a method says."""

    def __init__(self, case: Case, kind: str, function: Function) -> None:
        self.case = case
        arguments = [*function.args.args, *function.args.kwonlyargs]
        bound = {
            n.id
            for n in ast.walk(function)
            if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store) and not _in_comprehension(function, n)
        }
        self.local = {a.arg for a in arguments} - {"self"} | bound
        self.local -= {n.id for loop in ast.walk(function) if isinstance(loop, ast.For) and _is_fixed(loop)
                       for n in ast.walk(loop.target) if isinstance(n, ast.Name)}  # fmt: skip
        self.constants = _constants(function)
        holder = case.script.classes().get(kind)
        made = method(holder, "__init__") if holder is not None else None
        stored = (
            [n for n in ast.walk(made) if isinstance(n, ast.Attribute) and isinstance(n.ctx, ast.Store)] if made else []
        )
        self.attributes = {n.attr for n in stored}

    def foreign(self, node: ast.AST) -> set[str]:
        """The names in a piece of the script that the constructor does not know."""
        own = {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
        names = {
            n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)
        } & self.local - own
        unset = {
            f"self.{n.attr}"
            for n in ast.walk(node)
            if isinstance(n, ast.Attribute) and dotted(n.value) == "self" and n.attr not in self.attributes
        }
        return names | unset

    def number(self, call: ast.Call, place: int) -> int | None:
        """A size of a layer, from the shapes of the weights to which gradients ran and that no network has."""
        kind = dotted(call.func).rpartition(".")[2]
        if kind not in AXES or place >= len(AXES[kind]):
            return None
        values = {k: number(self.case.script, a, "") for k, a in enumerate(call.args) if not self.foreign(a)}
        given = {k: value for k, value in values.items() if value is not None}
        shapes = [
            n.shape for b in self.case.evidence.backwards for n in b.graph
            if n.shape is not None and n.parameter is None and len(n.shape) == RANKS[kind]
        ] or self._registered(kind)  # fmt: skip
        axes = AXES[kind]
        fitting = {
            shape[axes[place]] for shape in shapes
            if all(k >= len(axes) or k == place or shape[axes[k]] == value for k, value in given.items())
        }  # fmt: skip
        return fitting.pop() if len(fitting) == 1 else None

    def _registered(self, kind: str) -> list[tuple[int, ...]]:
        """The shapes of weights that were exchanged in a network, as where a pass gives an attribute another layer."""
        return [
            p.shape
            for m in self.case.evidence.models
            for p in m.parameters.values()
            if p.exchanged and len(p.shape) == RANKS[kind]
        ]


def _in_comprehension(function: Function, name: ast.Name) -> bool:
    return any(
        isinstance(n, ast.comprehension) and any(x is name for x in ast.walk(n.target)) for n in ast.walk(function)
    )


def _is_fixed(loop: ast.For) -> bool:
    return isinstance(loop.iter, (ast.List, ast.Tuple)) or dotted(getattr(loop.iter, "func", loop.iter)) in (
        "range",
        "enumerate",
    )


def _constants(function: Function) -> dict[str, ast.Constant]:
    """Names that the function gives a plain value, once."""
    given: dict[str, list[ast.expr]] = {}
    for node in ast.walk(function):
        if isinstance(node, ast.Assign):
            for target in node.targets:
                given.setdefault(dotted(target), []).append(node.value)
    return {n: v[0] for n, v in given.items() if len(v) == 1 and isinstance(v[0], ast.Constant)}


class _Numbers(ast.NodeTransformer):
    """Puts numbers in the place of sizes that only the pass knows."""

    def __init__(self, known: _Known) -> None:
        self.known = known
        self.changed = False

    def visit_Name(self, node: ast.Name) -> ast.expr:
        """A name of a plain value becomes the value."""
        return self.known.constants.get(node.id, node) if isinstance(node.ctx, ast.Load) else node

    def visit_Call(self, node: ast.Call) -> ast.expr:
        """The arguments of a layer become numbers where they have to."""
        self.generic_visit(node)
        for k, value in enumerate(node.args):
            if self.known.foreign(value):
                node.args[k] = self._settled(node, k, value)
        for keyword in node.keywords:
            if keyword.arg in NAMES and self.known.foreign(keyword.value):
                keyword.value = self._settled(node, NAMES[keyword.arg], keyword.value)
            elif keyword.arg == "device":
                self.changed = True
        node.keywords = [k for k in node.keywords if k.arg != "device" or not self.known.foreign(k.value)]
        return node

    def _settled(self, node: ast.Call, place: int, value: ast.expr) -> ast.expr:
        number = self.known.number(node, place)
        return ast.Constant(number) if number is not None else value


class _Lazily(_Numbers):
    """Makes lazy layers of those whose inputs only the pass knows."""

    def visit_Call(self, node: ast.Call) -> ast.expr:
        """`nn.Linear(x.shape[1], 10)` becomes `nn.LazyLinear(10)`."""
        self.generic_visit(node)
        kind = dotted(node.func).rpartition(".")[2]
        if kind not in LAZY:
            return node
        first = next((k for k in node.keywords if NAMES.get(k.arg or "") == 0), None)
        if first is not None and self.known.foreign(first.value):
            node.keywords.remove(first)
        elif node.args and self.known.foreign(node.args[0]):
            node.args = node.args[1:]
        else:
            return node
        self.changed = True
        prefix = f"{dotted(node.func).rpartition('.')[0] or 'torch.nn'}."
        node.func = ast.parse(f"{prefix}Lazy{kind}", mode="eval").body
        return node
