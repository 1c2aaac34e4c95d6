"""Training in training mode and evaluation in evaluation mode, with the same mean in both."""

import ast
import re
from collections.abc import Iterator

from osler.doctor.case import Case
from osler.doctor.mending.mode_edit import loops_at, set_evaluation, set_training, training_site
from osler.doctor.mending.number_edit import set_setting
from osler.doctor.mending.prescription import Prescription, prescribes
from osler.doctor.mending.script_edit import CannotEditError, ScriptEdit, with_argument
from osler.doctor.mending.value_edit import put
from osler.doctor.script_reading import dotted
from osler.doctor.training_loop import enclosing_function, evaluation_line
from osler.structures.finding import Finding
from osler.vitals.evidence import ModelSeen, Site

DROPPING = ("dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout")
DRAWN = ("rand_like", "rand", "uniform_", "random", "uniform")


# ---- training


@prescribes("eval-mode-in-training")
def train(finding: Finding, case: Case) -> Iterator[Prescription]:
    """`train()` before the steps of an epoch; in the place of an `eval()` that stands there by mistake."""
    model = next((m for m in case.models if m.call_counts["train:wrong mode"]), case.models[0])

    def exchange(edit: ScriptEdit) -> None:
        _exchange(edit, case, model, finding.where.line)

    def add(edit: ScriptEdit) -> None:
        set_training(edit, case, model)

    told = f"Call {model.name}.train() in place of the eval() before the training steps."
    yield Prescription("call train()", told, exchange, choice="training mode")
    told = f"Call {model.name}.train() at the beginning of every epoch, before the training steps."
    yield Prescription("call train()", told, add, choice="training mode")


def _exchange(edit: ScriptEdit, case: Case, model: ModelSeen, line: int | None) -> None:
    """An `eval()` in the training's own loop, before the step and behind no evaluation, becomes a `train()`."""
    site = training_site(model)
    loops = loops_at(case, site.line)
    for call in (*case.script.calls_of("eval"), *case.script.calls_of("train")):
        off = call.last == "eval" or "False" in call.text()
        inside = loops_at(case, call.line)
        same = enclosing_function(case.script, call.line) is enclosing_function(case.script, site.line)
        first = call.line < site.line and all(loop in loops for loop in inside)
        others = [c.site for c in model.calls if c.moment == "evaluate" and c.site is not None]
        between = any(call.line < s.line < site.line for s in others)
        if call.line == line and off and same and first and not between and (inside or len(loops) == 1):
            edit.replace(edit.at(call.node), f"{call.name.rpartition('.')[0]}.train()")
            return
    raise CannotEditError("No eval() stands before the training steps.")


# ---- evaluation


@prescribes("train-mode-in-evaluation")
def evaluate(finding: Finding, case: Case) -> Iterator[Prescription]:
    """`eval()` before the pass; of dropout that no mode switches off its argument."""
    line = finding.where.line
    bound = [c for c in case.script.calls_of(*DROPPING) if c.line == line and not c.name.startswith("self.")]
    made = [c for c in case.script.calls_of("Dropout", "Dropout1d", "Dropout2d", "Dropout3d") if c.line == line]
    if bound:

        def bind(edit: ScriptEdit) -> None:
            for call in bound:
                edit.change(edit.at(call.node), lambda now: with_argument(now, "training", "self.training", 2))

        yield Prescription("bind dropout to the mode", "Give the dropout the argument training=self.training.", bind)
        return
    if made and (enclosing_function(case.script, made[0].line) or ast.Pass()).__dict__.get("name") != "__init__":

        def as_function(edit: ScriptEdit) -> None:
            _as_function(edit, case, made[0].node)

        yield Prescription(
            "bind dropout to the mode", "Use dropout as a function with training=self.training.", as_function
        )
        return
    model, site = _pass(case, line)

    def before(edit: ScriptEdit) -> None:
        if not _turn_train(edit, case, site):
            set_evaluation(edit, case, model, site)

    told = f"Call {model.name}.eval() before the evaluation, and {model.name}.train() before training goes on."
    yield Prescription("call eval()", told, before)


def _pass(case: Case, line: int | None) -> tuple[ModelSeen, Site]:
    """The evaluation in training mode that belongs to a line."""
    found = [
        (model, a.site)
        for model in case.models
        for a in case.evaluations(model)
        if a.in_training_mode and a.site is not None
    ]
    near = [(m, s) for m, s in found if evaluation_line(case.script, s) == line]
    if not found:
        raise CannotEditError("No evaluation in training mode was seen.")
    return (near or found)[-1]


def _turn_train(edit: ScriptEdit, case: Case, site: Site) -> bool:
    """A `train()` at the top of the evaluation's own function becomes an `eval()`."""
    function = enclosing_function(case.script, site.line)
    if function is None or any(isinstance(n, ast.Attribute) and n.attr == "backward" for n in ast.walk(function)):
        return False
    for call in case.script.calls_of("train"):
        if (
            function.lineno < call.line < site.line
            and not call.node.args
            and not call.node.keywords
            and "." in call.name
        ):
            edit.replace(edit.at(call.node), f"{call.name.rpartition('.')[0]}.eval()")
            return True
    return False


def _as_function(edit: ScriptEdit, case: Case, made: ast.Call) -> None:
    """`nn.Dropout(0.5)(x)` within forward becomes `torch.nn.functional.dropout(x, 0.5, self.training)`."""
    for outer in ast.walk(case.script.tree):
        if isinstance(outer, ast.Call) and outer.func is made and outer.args:
            rate = next((ast.unparse(k.value) for k in made.keywords if k.arg == "p"), None)
            rate = rate or (ast.unparse(made.args[0]) if made.args else "0.5")
            name = dotted(made.func).rpartition(".")[2].lower()
            put(
                edit, outer, f"torch.nn.functional.{name}({ast.unparse(outer.args[0])}, {rate}, training=self.training)"
            )
            edit.add_import("import torch") if not re.search(r"^import torch\b", edit.original, re.MULTILINE) else None
            return
    raise CannotEditError("The dropout is not called where it is made.")


# ---- the same mean in both


@prescribes("train-eval-gap")
def same_mean(finding: Finding, case: Case) -> Iterator[Prescription]:
    """A hand-made dropout divided by the share that it keeps; else statistics that follow faster."""
    line = finding.where.line
    if line is None:
        return

    def divide(edit: ScriptEdit) -> None:
        _divide(edit, case, line)

    told = f"Divide at line {line} by the share that is kept."
    yield Prescription("keep the mean", told, divide, choice="mean")
    norms = [x for m in case.models for x in m.layers.values() if "BatchNorm" in x.kind and x.site is not None]
    slow = [x for x in norms if isinstance(x.options.get("momentum"), float) and x.options["momentum"] < 0.05]
    if slow:

        def faster(edit: ScriptEdit) -> None:
            for site, kind in dict.fromkeys((x.site, x.kind) for x in slow):
                set_setting(edit, case.script, site, (kind,), "momentum", 2, "0.1")

        told = f"Give {slow[0].name} and its like the momentum 0.1."
        yield Prescription("let the statistics catch up", told, faster, choice="mean")


def _divide(edit: ScriptEdit, case: Case, line: int) -> None:
    """The product with a mask of zeros and ones, divided by the share of ones."""
    function = enclosing_function(case.script, line)
    if function is None:
        raise CannotEditError("It stands in no function.")
    share = _kept(function)
    product = _product(function, line)
    if share is None or product is None:
        raise CannotEditError("It is not known which share is kept.")
    edit.wrap(edit.at(product), f"{{}} / {share}")


def _kept(function: ast.AST) -> str | None:
    """The share that a comparison with random numbers, or a drawing of zeros and ones, keeps."""
    for node in ast.walk(function):
        if isinstance(node, ast.Compare) and len(node.ops) == 1:
            left, right = node.left, node.comparators[0]
            greater = isinstance(node.ops[0], (ast.Gt, ast.GtE))
            if _is_drawn(left):
                return f"(1 - {ast.unparse(right)})" if greater else _bracketed(right)
            if _is_drawn(right):
                return _bracketed(left) if greater else f"(1 - {ast.unparse(left)})"
        if isinstance(node, ast.Call) and dotted(node.func).rpartition(".")[2] in (
            "bernoulli",
            "bernoulli_",
            "binomial",
        ):
            given = node.args[0] if node.args else None
            if isinstance(given, ast.Call) and len(given.args) == 2:
                return _bracketed(given.args[1])
            if given is not None and dotted(node.func).endswith("bernoulli_"):
                return _bracketed(given)
    return None


def _bracketed(node: ast.expr) -> str:
    text = ast.unparse(node)
    return text if isinstance(node, (ast.Name, ast.Attribute, ast.Constant)) else f"({text})"


def _is_drawn(node: ast.expr) -> bool:
    return any(isinstance(c, ast.Call) and dotted(c.func).rpartition(".")[2] in DRAWN for c in ast.walk(node))


def _product(function: ast.AST, line: int) -> ast.expr | None:
    """The product at a line, else the only one of the function."""
    every = [n for n in ast.walk(function) if isinstance(n, ast.BinOp) and isinstance(n.op, ast.Mult)]
    here = [n for n in every if n.lineno == line]
    return here[0] if here else every[0] if len(every) == 1 else None
