"""The order in which a program trains on its samples: a loader that shuffles, or a permutation for batches cut by hand."""

import ast
import re

from osler.doctor.case import Case
from osler.doctor.mending.mode_edit import loops_at, training_site
from osler.doctor.mending.script_edit import CannotEditError, ScriptEdit, argument, with_argument, without_argument
from osler.doctor.script_reading import dotted
from osler.doctor.settings import call_at
from osler.vitals.evidence import LoaderSeen, ModelSeen

ORDER = "order"


def shuffle_loader(edit: ScriptEdit, case: Case, loader: LoaderSeen) -> None:
    """Gives the training's loader `shuffle=True`, and takes a sampler that keeps the order away.

    Raises:
        CannotEditError: its call is not found.
    """
    call = call_at(case.script, loader.site, "DataLoader")
    if call is None:
        raise CannotEditError("The loader is not found.")
    there = edit.at(call.node)
    batches = call.keyword("batch_sampler")
    if batches is not None:
        raise CannotEditError("The loader has a sampler of batches.")

    def change(now):  # type: ignore[no-untyped-def]
        if argument(now, "sampler") is not None:
            now = without_argument(now, "sampler")
        return with_argument(now, "shuffle", "True", 2)

    edit.change(there, change)


def shuffle_slices(edit: ScriptEdit, case: Case, model: ModelSeen) -> None:
    """Draws a permutation before the loop that cuts batches out, and cuts them out of that.

    `x[i:i + 32]` becomes `x[order[i:i + 32]]`; `x.split(32)` takes its batches of `x[order]`.

    Raises:
        CannotEditError: batches are cut in another way.
    """
    site = training_site(model)
    loops = [loop for loop in loops_at(case, site.line) if isinstance(loop, ast.For)]
    if not loops:
        raise CannotEditError("There is no loop over batches.")
    loop = loops[-1]
    if _drawn_from_counts(edit, loop) or _of_splits(edit, case, loop):
        return
    name = ORDER if not re.search(rf"\b{ORDER}\b", edit.original) else "shuffled"
    slices = [
        n for n in ast.walk(loop)
        if isinstance(n, ast.Subscript) and _is_cut(n.slice, loop.target) and isinstance(n.value, (ast.Name, ast.Attribute))
    ]  # fmt: skip
    if not slices:
        raise CannotEditError("Batches are cut in another way.")
    slices.sort(key=lambda n: (n.lineno, n.col_offset))
    for node in slices:
        part = node.slice.elts[0] if isinstance(node.slice, ast.Tuple) else node.slice
        edit.replace(edit.at(node), _indexed(edit, node, part, name))
    edit.insert_before(loop.lineno, f"{name} = torch.randperm(len({ast.unparse(slices[0].value)}))")
    if not re.search(r"^import torch\b", edit.original, re.MULTILINE):
        edit.add_import("import torch")


def _is_cut(node: ast.expr, target: ast.expr) -> bool:
    """Whether an index is a slice that begins or ends by the loop's variable."""
    first = node.elts[0] if isinstance(node, ast.Tuple) and node.elts else node
    names = {n.id for n in ast.walk(target) if isinstance(n, ast.Name)}
    return isinstance(first, ast.Slice) and bool(names & {n.id for n in ast.walk(first) if isinstance(n, ast.Name)})


def _indexed(edit: ScriptEdit, node: ast.Subscript, part: ast.expr, name: str) -> str:
    text = edit.code(edit.at(node))
    begin = edit.code(edit.at(node.value))
    inner = text[len(begin) :].strip()[1:-1]
    cut, comma, rest = inner.partition(",")
    return f"{begin}[{name}[{cut.strip()}]{comma}{rest}]"


def _drawn_from_counts(edit: ScriptEdit, loop: ast.For) -> bool:
    """`torch.arange(n).split(32)` becomes `torch.randperm(n).split(32)`."""
    for node in ast.walk(loop.iter):
        if (
            isinstance(node, ast.Call)
            and dotted(node.func) in ("torch.arange", "np.arange", "numpy.arange")
            and len(node.args) == 1
        ):
            new = (
                "torch.randperm"
                if dotted(node.func).startswith("torch")
                else f"{dotted(node.func).partition('.')[0]}.random.permutation"
            )
            edit.replace(edit.at(node.func), new)
            return True
    return False


def _of_splits(edit: ScriptEdit, case: Case, loop: ast.For) -> bool:
    """`zip(x.split(32), y.split(32))`: both are put into one new order before the loop."""
    holders = [
        ast.unparse(c.func.value)
        for c in ast.walk(loop.iter)
        if isinstance(c, ast.Call)
        and isinstance(c.func, ast.Attribute)
        and c.func.attr in ("split", "chunk")
        and not _module(c.func.value)
    ]
    holders += [
        ast.unparse(c.args[0])
        for c in ast.walk(loop.iter)
        if isinstance(c, ast.Call) and dotted(c.func).rpartition(".")[2] in ("split", "chunk", "array_split") and c.args
        and isinstance(c.func, ast.Attribute) and _module(c.func.value)
    ]  # fmt: skip
    if not holders or not all(re.fullmatch(r"[\w.]+", h) for h in holders):
        return False
    names = ", ".join(holders)
    edit.insert_before(
        loop.lineno,
        f"{ORDER} = torch.randperm(len({holders[0]}))\n{names} = {', '.join(f'{h}[{ORDER}]' for h in holders)}",
    )
    return True


def _module(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id in ("torch", "np", "numpy")
