"""First weights given a rule that fits the fan-in, or left as PyTorch draws them."""

import ast
import re
from collections.abc import Callable

import libcst as cst

from osler.doctor.case import Case
from osler.doctor.mending.initial_setters import LIKE, MAKERS, SQUASHING, Setter, conditions, set_by, sets_bias
from osler.doctor.mending.layer_edit import module
from osler.doctor.mending.script_edit import CannotEditError, ScriptEdit
from osler.doctor.script_reading import dotted
from osler.vitals.evidence import ModelSeen


def rule(case: Case, model: ModelSeen) -> str:
    """He's rule for ReLU and its family, Glorot's where layers squash."""
    kinds = [x.kind for x in model.layers.values()]
    squash = sum(k in SQUASHING for k in kinds)
    relus = sum("relu" in k.lower() or k.lower() in ("gelu", "silu", "elu", "mish") for k in kinds)
    return "xavier_uniform_" if squash > relus else "kaiming_normal_"


def initialiser(edit: ScriptEdit, name: str) -> str:
    """An initialiser with torch's prefix, as the program has it."""
    if re.search(r"^\s*(import torch\.nn\.init as init|from torch\.nn import .*\binit\b)", edit.original, re.MULTILINE):
        return f"init.{name}"
    return module(edit, None, f"init.{name}")


def give_rule(edit: ScriptEdit, case: Case, model: ModelSeen, setter: Setter, name: str) -> None:
    """Puts another rule for first weights in the place of a setter; scaling on top of a start is taken out.

    Raises:
        CannotEditError: the statement has another form.
    """
    node = setter.node
    if setter.way == "scaled":
        take_out_setter(edit, setter)
    elif setter.way == "made" and isinstance(node, ast.Call):
        _made_anew(edit, node, name)
    elif isinstance(node, ast.expr):
        _by_call(edit, case, model, setter, name)
    else:
        edit.replace_statement(
            node.lineno, _guarded(edit, case, model, setter, f"{initialiser(edit, name)}({ast.unparse(setter.target)})")
        )


def _by_call(edit: ScriptEdit, case: Case, model: ModelSeen, setter: Setter, name: str) -> None:
    call = edit.at(setter.node)  # type: ignore[arg-type]
    target = ast.unparse(setter.target)
    own = dotted(setter.node.func) if isinstance(setter.node, ast.Call) else ""
    prefix = own.rpartition(".")[0] if own.rpartition(".")[0].endswith("init") else None
    code = f"{prefix}.{name}({target})" if prefix else f"{initialiser(edit, name)}({target})"
    guarded = _guarded(edit, case, model, setter, code)
    statement = edit.parent(edit.parent(call) or call)
    if guarded == code:
        edit.replace(call, code)
    elif isinstance(statement, cst.SimpleStatementLine):
        edit.replace_statement(edit.line_of(call), guarded)
    else:
        edit.replace(call, f"{code} if {target}.dim() > 1 else None")


def _guarded(edit: ScriptEdit, case: Case, model: ModelSeen, setter: Setter, code: str) -> str:
    """The call alone for matrices where vectors come to it too: the rules ask for two axes."""
    tests = conditions(case, setter)
    may = set_by(case, model, setter)
    flat = [p for p in may if len(p.shape) < 2]
    known = re.search(r"dim\(|ndim|shape|size\(", tests) or ("isinstance" in tests and "Norm" not in tests)
    if "weight" in tests and "isinstance" not in tests:
        flat = [p for n, p in model.parameters.items() if len(p.shape) < 2 and "weight" in n]
    if not flat or known or sets_bias(setter):
        return code
    return f"if {ast.unparse(setter.target)}.dim() > 1:\n    {code}"


def _made_anew(edit: ScriptEdit, node: ast.Call, name: str) -> None:
    """`nn.Parameter(torch.zeros(a, b))` becomes `nn.Parameter(nn.init.xavier_uniform_(torch.empty(a, b)))`."""
    last = dotted(node.func).rpartition(".")[2]
    value: ast.expr = node if last != "Parameter" else node.args[0]
    makers = [n for n in ast.walk(value) if isinstance(n, ast.Call) and dotted(n.func).rpartition(".")[2] in MAKERS]
    if not makers:
        raise CannotEditError("It is not known what shape the weights have.")
    maker = makers[0]
    kind = dotted(maker.func).rpartition(".")[2]
    args = maker.args
    if kind in ("full", "full_like"):
        args = args[:1]
    elif kind == "normal" and len(args) == 3:
        args = args[2:]
    elif kind in ("tensor", "normal"):
        raise CannotEditError("The weights' shape is not written.")
    kept = [ast.unparse(a) for a in args] + [
        f"{k.arg}={ast.unparse(k.value)}" for k in maker.keywords if k.arg not in ("fill_value", "mean", "std")
    ]
    empty = f"{dotted(maker.func).rpartition('.')[0]}.{LIKE.get(kind, 'empty')}({', '.join(kept)})".lstrip(".")
    edit.replace(edit.at(value), f"{initialiser(edit, name)}({empty})")


def take_out_setter(edit: ScriptEdit, setter: Setter) -> None:
    """Takes a setter out, with the loops and blocks that hold nothing else.

    Raises:
        CannotEditError: its value is used.
    """
    take_out_setters(edit, [setter])


def take_out_setters(edit: ScriptEdit, found: list[Setter]) -> None:
    """Takes setters out, with the loops and blocks that hold nothing but them.

    Raises:
        CannotEditError: the value of one is used.
    """
    gone: set[cst.CSTNode] = {_statement_of(edit, s) for s in found}
    while True:
        holders = {
            above
            for node in gone
            for block in [edit.parent(node)]
            for above in [edit.parent(block) if block is not None else None]
            if isinstance(block, (cst.IndentedBlock, cst.SimpleStatementSuite)) and gone >= set(block.body)
            and isinstance(above, (cst.For, cst.With, cst.If)) and getattr(above, "orelse", None) is None
            and above not in gone and not isinstance(edit.parent(above), cst.If)
        }  # fmt: skip
        if not holders:
            break
        gone |= holders
    for node in gone:
        if not any(above in gone for above in edit.above(node)):
            edit.remove_node(node)


def _statement_of(edit: ScriptEdit, setter: Setter) -> cst.CSTNode:
    """The whole statement that a setter is."""
    if setter.way == "made":
        raise CannotEditError("Weights that the program makes itself have to be set.")
    if isinstance(setter.node, ast.stmt):
        place = edit.statement(setter.node.lineno)
    else:
        expression = edit.parent(edit.at(setter.node))
        holder = edit.parent(expression) if isinstance(expression, cst.Expr) else None
        if holder is None or not isinstance(holder, (cst.SimpleStatementLine, cst.SimpleStatementSuite)):
            raise CannotEditError("The value of the call is used.")
        if len(holder.body) != 1:
            raise CannotEditError("Several statements stand on the line.")
        return holder if isinstance(holder, cst.SimpleStatementLine) else expression or holder
    if not isinstance(place, cst.SimpleStatementLine) or len(place.body) != 1:
        raise CannotEditError("Several statements stand on the line.")
    return place


def after_making(edit: ScriptEdit, case: Case, write: Callable[[str], str]) -> None:
    """Puts statements before the first optimizer is made; `write` is given what the network is called there.

    Raises:
        CannotEditError: the network has no name there.
    """
    sites = sorted(o.site.line for o in case.evidence.optimizers if o.site is not None)
    lines = sites or [c.line for c in case.script.calls if any(".parameters" in ast.unparse(a) for a in c.node.args)]
    for line in lines[:1]:
        statement = edit.statement(line)
        named = re.search(r"([\w.]+)\.(?:named_)?parameters\(\)", edit.code(statement))
        if named and isinstance(statement, cst.SimpleStatementLine):
            edit.insert_before(edit.line_of(statement), write(named[1]))
            return
    raise CannotEditError("It is not known what the network is called.")


def rule_for_all(edit: ScriptEdit, case: Case, model: ModelSeen, name: str) -> None:
    """Sets all matrices by a rule before the optimizer is made."""
    kinds = {x.kind for x in model.layers.values() if x.kind in ("Linear", "Conv1d", "Conv2d", "Conv3d")}
    if not kinds:
        raise CannotEditError("The network has no layers of torch.")
    told = ", ".join(module(edit, None, kind) for kind in sorted(kinds))

    def write(network: str) -> str:
        kinds_ = told if len(kinds) == 1 else f"({told})"
        return (
            f"for module in {network}.modules():\n    if isinstance(module, {kinds_}):\n"
            f"        {initialiser(edit, name)}(module.weight)"
        )

    after_making(edit, case, write)
