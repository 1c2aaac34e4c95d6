"""Lines of a script at which values leave the graph on their way to a loss."""

import ast
from collections.abc import Collection, Iterator

from osler.doctor.case import Case
from osler.doctor.script_reading import dotted
from osler.vitals.evidence import Site

OUT = {"detach": "detach", "detach_": "detach_", "numpy": "numpy", "item": "item", "tolist": "tolist"}
STEPS = {
    "argmax": "argmax",
    "round": "round",
    "sign": "sign",
    "floor": "floor",
    "long": "long",
    "int": "int",
    "bool": "bool",
    "bernoulli": "bernoulli",
    "ceil": "ceil",
    "trunc": "trunc",
}
MADE = ("tensor", "from_numpy", "as_tensor", "FloatTensor", "Tensor", "Variable")
OFF = ("no_grad", "inference_mode", "set_grad_enabled")


def cut_in(node: ast.AST, harmless: Collection[str] = ()) -> tuple[int, str] | None:
    """The line and the name of what takes values out of the graph in a piece of the script; None where nothing does.

    Nothing is taken out by what is done to one of the `harmless` names alone.
    """
    for part in ast.walk(node):
        if isinstance(part, ast.Call):
            if harmless and _read(part) and _read(part) <= set(harmless):
                continue
            compared = isinstance(part.func, ast.Attribute) and isinstance(part.func.value, ast.Compare)
            if compared and dotted(part.func).rpartition(".")[2] in (
                "float",
                "double",
                "to",
                "type",
                "type_as",
                "int",
                "long",
            ):
                return part.lineno, "a comparison"
            last = dotted(part.func).rpartition(".")[2]
            if isinstance(part.func, ast.Attribute) and last in {**OUT, **STEPS}:
                return part.lineno, last
            if last in MADE and dotted(part.func).startswith(("torch.", "Variable")) and not _plain(part):
                return part.lineno, f"torch.{last}" if last != "Variable" else last
        if not (isinstance(part, ast.Attribute) and part.attr == "data" and isinstance(part.ctx, ast.Load)):
            continue
        if not dotted(part).startswith(("torch.", "utils.", "self.data")):
            return part.lineno, ".data"
    return None


def _read(call: ast.Call) -> set[str]:
    """The names that a call reads, but for those of modules."""
    names = {n.id for n in ast.walk(call) if isinstance(n, ast.Name)}
    return names - {"torch", "F", "np", "nn", "math"}


def _plain(call: ast.Call) -> bool:
    """Whether the tensor is made of numbers that are written there."""
    return not any(isinstance(n, (ast.Name, ast.Attribute)) for argument in call.args for n in ast.walk(argument))


def forward_cuts(case: Case) -> list[tuple[int, str]]:
    """Such lines in methods of classes other than `__init__`."""
    found = []
    whole = {model.kind for model in case.evidence.models}
    for name, function in case.script.functions().items():
        if "." not in name or function.name == "__init__":
            continue
        pictures = _untouched(function) if function.name == "forward" and name.split(".")[-2] in whole else set()
        found += [cut for statement in function.body if (cut := cut_in(statement, pictures)) is not None]
    return found


def _untouched(function: ast.FunctionDef | ast.AsyncFunctionDef) -> set[str]:
    """Arguments that stay what they were given: what a whole network is called with has no gradient to lose."""
    stored = {n.id for n in ast.walk(function) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    return {a.arg for a in function.args.args[1:]} - stored


def switched_off(case: Case, methods: bool) -> list[int]:
    """Lines that record no gradient for what follows: `with torch.no_grad()` and `@torch.no_grad()`, in methods or elsewhere."""
    found = []
    for name, function in case.script.functions().items():
        if ("." in name) == methods and function.name not in ("__init__", "evaluate", "validate", "test", "predict"):
            found += [d.lineno for d in function.decorator_list if _is_off(d)]
            found += [
                n.lineno
                for n in ast.walk(function)
                if isinstance(n, ast.With) and any(_is_off(i.context_expr) for i in n.items)
            ]
    if not methods:
        found += [
            n.lineno
            for n in ast.walk(case.script.tree)
            if isinstance(n, ast.With) and any(_is_off(i.context_expr) for i in n.items)
        ]
    return sorted(set(found))


def _is_off(node: ast.AST) -> bool:
    return any(dotted(n).rpartition(".")[2] in OFF for n in ast.walk(node) if isinstance(n, (ast.Name, ast.Attribute)))


def converted(case: Case, *, in_forward: bool) -> Iterator[tuple[str, Site]]:
    """Recorded conversions of tensors through which a gradient runs, at most of the updates, the most frequent first."""
    for (kind, site), count in case.evidence.conversions.most_common():
        name, _, inside = kind.partition(" in ")
        if name in OUT and bool(inside) == in_forward and count >= max(1, case.evidence.steps // 2):
            yield name, site


def cut_before_backward(case: Case) -> tuple[int, str] | None:
    """The cut among the assignments from which the value on which `backward` is called comes."""
    for call in case.script.calls_of("backward"):
        name = call.name.rpartition(".")[0]
        inline = cut_in(call.node.func)
        if inline is not None:
            return inline
        for read in case.script.slice_of(name, before=call.line):
            if read.function == call.function and (cut := cut_in(read.value)) is not None:
                return cut
        for read in case.script.slice_of(name, before=call.line):
            if "." not in read.function and read.function and (cut := cut_in(read.value)) is not None:
                return cut
    return None
