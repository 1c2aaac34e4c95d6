"""Where a script makes or seeds random generators, and whether that place runs more than once."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from osler.doctor.augmentation_lines import own_draws
from osler.doctor.data_lines import DRAWING
from osler.doctor.flow_reading import FlowReading, calls_in
from osler.doctor.provenance import Step
from osler.doctor.script_reading import dotted

MAKERS = {"RandomState", "default_rng", "Random", "Generator", "PCG64", "SeedSequence"}
SEEDERS = {
    "seed",
    "manual_seed",
    "manual_seed_all",
    "set_seed",
    "seed_everything",
    "seed_all",
    "fix_seed",
    "set_random_seed",
}
ITEMS = ("__getitem__", "__call__")


@dataclass(frozen=True)
class Seeding:
    """A call that makes or seeds a generator."""

    line: int
    text: str
    function: str


def seedings(flow: FlowReading) -> Iterator[tuple[ast.Call, str]]:
    """Calls that make a generator with a seed, or seed one, each with the function that it stands in."""
    for last in MAKERS | SEEDERS:
        for call, scope in flow.called.get(last, ()):
            if _seed(call) is not None:
                yield call, scope
    for (_, _), statements in flow.touched.items():
        for statement, scope in statements:
            if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
                call = statement.value
                if dotted(call.func).rpartition(".")[2] in SEEDERS and _seed(call) is not None:
                    yield call, scope


def all_seedings(flow: FlowReading) -> list[tuple[ast.Call, str]]:
    """The same, bare statements such as `torch.manual_seed(0)` included, once each."""
    found = {id(call): (call, scope) for call, scope in seedings(flow)}
    for read in flow.script.calls:
        if read.last in SEEDERS and _seed(read.node) is not None:
            found.setdefault(id(read.node), (read.node, read.function))
    return list(found.values())


def seeding_in_items(flow: FlowReading, data_set: str) -> Seeding | None:
    """A generator with an unchanging seed in what a data set runs for each sample, and that is drawn from there."""
    functions = _reached(flow, [f for f in flow.functions if f.endswith(f"{data_set}.__getitem__")])
    for call, scope in all_seedings(flow):
        if scope not in functions or not _unchanging(call, flow, scope):
            continue
        if any(dotted(c.func).rpartition(".")[2] in DRAWING for f in functions for c in calls_in(flow.functions[f])):
            return Seeding(call.lineno, ast.unparse(call), scope)
    return None


def seeding_in_training(flow: FlowReading, inputs: list[Step]) -> Seeding | None:
    """A seed that is set again within one training: in the loop that trains, or in a function that it calls for samples."""
    on_the_way = {s.scope for s in inputs if s.scope}
    for call, scope in all_seedings(flow):
        if scope.endswith(("__init__", "__getitem__")) or not _unchanging(call, flow, scope):
            continue
        last = dotted(call.func).rpartition(".")[2]
        loop = _training_loop(flow, call)
        if loop is not None and last in SEEDERS and own_draws(inputs, flow):
            return Seeding(call.lineno, ast.unparse(call), scope)
        if loop is not None and last in MAKERS and _drawn_on(inputs, call):
            return Seeding(call.lineno, ast.unparse(call), scope)
        if scope in on_the_way and _called_in_training(flow, scope) and _draws_within(flow, scope):
            return Seeding(call.lineno, ast.unparse(call), scope)
    return None


def own_generators(flow: FlowReading, data_set: str) -> Seeding | None:
    """A generator that a data set holds and draws from for each sample."""
    functions = _reached(flow, [f for f in flow.functions if f.endswith(f"{data_set}.__getitem__")])
    used = {dotted(c.func) for f in functions for c in calls_in(flow.functions[f])}
    for (owner, name), binds in flow.binds.items():
        if owner.rpartition(".")[2] != data_set or not name.startswith("self."):
            continue
        for bind in binds:
            made = any(dotted(c.func).rpartition(".")[2] in MAKERS for c in calls_in(bind.value))
            if made and any(u.startswith(name + ".") for u in used):
                return Seeding(bind.line, name, bind.scope)
    return None


# ---- inside


def _seed(call: ast.Call) -> ast.expr | None:
    if call.args:
        return call.args[0]
    return next((k.value for k in call.keywords if k.arg in ("seed", "random_state")), None)


def _unchanging(call: ast.Call, flow: FlowReading, scope: str) -> bool:
    """Whether the seed is a number, or a name that no loop, parameter or count changes."""
    seed = _seed(call)
    if seed is None or calls_in(seed):
        return False
    parameters = set(flow.parameters.get(scope, ())) - {"self"}
    for node in ast.walk(seed):
        if isinstance(node, ast.Name):
            looped = any(
                isinstance(b.statement, (ast.For, ast.comprehension)) for b in flow.binds.get((scope, node.id), ())
            )
            looped |= any(
                isinstance(b.statement, (ast.For, ast.comprehension)) for b in flow.binds.get(("", node.id), ())
            )
            if (
                node.id in parameters
                or looped
                or any(isinstance(s, ast.AugAssign) for s, _ in flow.touched.get((scope, node.id), ()))
            ):
                return False
        if isinstance(node, ast.Attribute) and dotted(node).startswith("self."):
            key = flow.key(scope, dotted(node))
            changed = any(not b.scope.endswith("__init__") for b in flow.binds.get(key, ())) or flow.touched.get(key)
            if changed or node.attr in ("epoch", "step"):
                return False
    return True


def _reached(flow: FlowReading, functions: list[str]) -> set[str]:
    """Functions of the script, and those that they call."""
    found, waiting = set(functions), list(functions)
    while waiting:
        function = waiting.pop()
        for call in calls_in(flow.functions[function]):
            for entered in flow.entered(dotted(call.func), function):
                if entered in flow.functions and entered not in found:
                    found.add(entered)
                    waiting.append(entered)
    return found


def _training_loop(flow: FlowReading, call: ast.Call) -> ast.AST | None:
    """The innermost loop around a call, if gradients are computed within it and the network is not made within it."""
    loops = [
        n
        for n in ast.walk(flow.script.tree)
        if isinstance(n, (ast.For, ast.While)) and n.lineno < call.lineno <= (n.end_lineno or n.lineno)
    ]
    for loop in sorted(loops, key=lambda n: -n.lineno):
        names = {dotted(c.func).rpartition(".")[2] for c in calls_in(loop)}
        inner = {f for f in flow.functions if flow.name_of(f) in names}
        trains = "backward" in names or any(
            "backward" in {dotted(c.func).rpartition(".")[2] for c in calls_in(flow.functions[f])} for f in inner
        )
        makes = any(n in flow.classes and n[:1].isupper() for n in names) or bool(
            names & {"Sequential", "Adam", "SGD", "AdamW", "RMSprop"}
        )
        makes |= any(
            {dotted(c.func).rpartition(".")[2] for c in calls_in(flow.functions[f])}
            & {"Sequential", "Adam", "SGD", "AdamW"}
            for f in inner
        )
        if trains and not makes:
            return loop
        if makes:
            return None
    return None


def _called_in_training(flow: FlowReading, function: str) -> bool:
    name = flow.name_of(function)
    return any(_training_loop(flow, call) is not None for call, _ in flow.called.get(name, ()))


def _draws_within(flow: FlowReading, function: str) -> bool:
    node = flow.functions.get(function)
    return node is not None and any(dotted(c.func).rpartition(".")[2] in DRAWING for c in calls_in(node))


def _drawn_on(inputs: list[Step], call: ast.Call) -> bool:
    return any(c is call for s in inputs for c in s.calls)
