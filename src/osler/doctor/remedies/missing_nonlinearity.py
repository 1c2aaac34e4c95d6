"""An activation behind every hidden layer that has none."""

from collections.abc import Iterator

import libcst as cst

from osler.doctor.case import Case
from osler.doctor.layer_places import dropout_names
from osler.doctor.loss_graph import LossGraph, Weighted
from osler.doctor.mending.layer_edit import function, is_shared, model_with, put_behind
from osler.doctor.mending.prescription import Prescription, prescribes
from osler.doctor.mending.script_edit import CannotEditError, ScriptEdit
from osler.structures.finding import Finding


@prescribes("missing-nonlinearity")
def prescribe(finding: Finding, case: Case) -> Iterator[Prescription]:
    """ReLU behind each layer between which and the next there are only linear operations."""
    names = bare_layers(case)

    def change(edit: ScriptEdit) -> None:
        if not names:
            _around_product(edit, finding.where.line)
            return
        head = _head(case)
        shared = [n for n in names if _is_shared(case, n)]
        for name in names:
            if name not in shared:
                put_behind(edit, case, name, "ReLU()", "relu")
        if shared:
            _in_loop(edit, case, shared, head)

    told = ", ".join(names[:4]) + (" and so on" if len(names) > 4 else "") if names else "the first product"
    yield Prescription("add an activation", f"Put a ReLU after {told}.", change)


def bare_layers(case: Case) -> list[str]:
    """The hidden layers that no activation follows, the first first."""
    dropouts = dropout_names(case)
    for graph in (LossGraph(b.graph) for b in case.evidence.backwards if b.graph):
        heads = {w.leaf for w in graph.output_layers}
        hidden = {
            w.layer: w for w in graph.weighted.values() if w.leaf not in heads and w.kind != "embedding" and w.layer
        }
        bare = [w for w in hidden.values() if _is_bare(graph, w, dropouts)]
        if bare:
            return [w.layer for w in sorted(bare, key=lambda w: -w.node)]
    return []


def _is_bare(graph: LossGraph, layer: Weighted, dropouts: frozenset[str]) -> bool:
    """Whether the next layer with weights above reads it through linear operations alone."""
    place = layer.node
    for _ in range(12):
        above = [k for k in set(graph.consumers[place]) if k not in graph.weighted or graph.leaf(place) is None]
        if len(above) != 1:
            return False
        place = above[0]
        if place in graph.weighted:
            return True
        if not graph.is_linear(place, dropouts):
            return False
    return False


def _head(case: Case) -> str:
    graphs = [LossGraph(b.graph) for b in case.evidence.backwards if b.graph]
    return graphs[0].output_layers[0].layer if graphs and graphs[0].output_layers else ""


def _is_shared(case: Case, name: str) -> bool:
    return ("." in name or name.isdigit()) and is_shared(case, name)


def _in_loop(edit: ScriptEdit, case: Case, shared: list[str], head: str) -> None:
    """Layers that one call makes: an activation behind each, but not behind the last layer."""
    alone = head not in _made_with(case, shared[0])
    if alone:
        put_behind(edit, case, shared[0], "ReLU()")
        return
    holder = shared[0].rpartition(".")[0].rpartition(".")[2]
    for _, loop in edit.every(cst.For):
        code = edit.code(loop.iter)
        if holder and code.endswith(f".{holder}") and isinstance(loop.target, cst.Name):
            for call in (c for _, c in edit.every(cst.Call) if loop in edit.above(c)):
                if isinstance(call.func, cst.Name) and call.func.value == loop.target.value:
                    edit.wrap(
                        call,
                        f"{{}} if {loop.target.value} is {code}[-1] else {function(edit, 'relu')}({edit.code(call)})",
                    )
                    return
    raise CannotEditError("The layers are made and called in a way that is not understood.")


def _made_with(case: Case, layer: str) -> list[str]:
    model, seen = model_with(case, layer)
    return [n for n, x in model.layers.items() if x.site == seen.site and x.kind == seen.kind]


def _around_product(edit: ScriptEdit, line: int | None) -> None:
    """`x @ W1 + b1` becomes `torch.relu(x @ W1 + b1)`: all of the statement, or what the next product takes."""
    products = [n for first, n in edit.every(cst.BinaryOperation) if isinstance(n.operator, cst.MatrixMultiply)]
    here = [p for p in products if edit.line_of(p) == line]
    if not here:
        raise CannotEditError("No product stands there.")
    outer = here[0]
    inner = [p for p in here if outer in edit.above(p)]
    target: cst.CSTNode = outer.left if inner else _whole(edit, outer)
    edit.wrap(target, f"{function(edit, 'relu')}({{}})")


def _whole(edit: ScriptEdit, node: cst.CSTNode) -> cst.CSTNode:
    """The sum that a product stands in."""
    for above in edit.above(node):
        if not isinstance(above, cst.BinaryOperation):
            break
        node = above
    return node
