"""The lines of a script at which data are made: where a network's inputs and a loss's targets come from."""

import ast
import os
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property

from osler.doctor.flow_reading import FlowReading, Parts, calls_in
from osler.doctor.provenance import Step, trace
from osler.doctor.script_reading import ScriptReading, dotted
from osler.vitals.evidence import Evidence, LossSeen, ModelSeen, Moment, Site

CONVERTING = {
    "tensor", "from_numpy", "as_tensor", "FloatTensor", "DoubleTensor", "Tensor", "float", "double", "half", "astype",
    "to_tensor", "ToTensor", "PILToTensor", "float32", "asarray", "frombuffer",
}  # fmt: skip
SCALERS = {
    "Normalize", "normalize", "standardize", "standardise", "fit_transform", "transform", "div_", "sub_", "mul_", "div",
    "scale", "minmax_scale", "rescale", "img_as_float", "true_divide", "divide", "ToTensor", "to_tensor", "rescale_intensity",
}  # fmt: skip
DRAWING = {
    "rand", "randn", "randint", "random", "uniform", "normal", "rand_like", "randn_like", "integers", "choice", "bernoulli",
    "random_sample", "standard_normal", "uniform_", "normal_", "bernoulli_", "binomial", "gauss", "randrange", "poisson",
    "permutation", "shuffle", "randperm", "multinomial", "sample", "get_params", "beta", "choices",
}  # fmt: skip
WHOLE = {"torch", "np", "numpy", "math", "cv2", "F", "nn", "random", "os", "time"}


class DataLines:
    """Steps on the ways of inputs and targets, nearest to the network first."""

    def __init__(self, evidence: Evidence, script: ScriptReading) -> None:
        self._evidence, self._script = evidence, script

    @cached_property
    def flow(self) -> FlowReading:
        """The script's assignments and calls."""
        return FlowReading(self._script)

    def inputs(self, model: ModelSeen, moment: Moment = "train") -> list[Step]:
        """The steps from which a network's first input comes, over all lines at which it is called in that moment."""
        found: list[Step] = []
        for call, scope in self._model_calls(model, moment):
            found += self._trace(call.args[0], scope)
        return _unique(found)

    def targets(self, loss: LossSeen) -> list[Step]:
        """The steps from which a loss's targets come; of one that the program writes out, what the output is compared with."""
        if loss.function == "own":
            return self._subtracted(loss.site)
        for call in self._calls_at(loss.site):
            given = next((k.value for k in call.keywords if k.arg in ("target", "labels", "y")), None)
            if given is None and len(call.args) >= 2:
                given = call.args[1]
            if given is not None and _looks_like_loss(call, loss.function):
                return self._trace(given, self.flow.scope_at(call.lineno))
        return []

    def companions(self, model: ModelSeen) -> list[Step]:
        """The steps of what stands beside the input in the tuples of a training loader, by the loop that gives both."""
        found: list[Step] = []
        for call, scope in self._model_calls(model, "train"):
            name = next((n.id for n in ast.walk(call.args[0]) if isinstance(n, ast.Name)), None)
            for bind in self.flow.binds.get((scope, name or ""), ()):
                if isinstance(bind.statement, ast.For) and bind.parts and isinstance(bind.parts[-1], int):
                    beside: Parts = (*bind.parts[:-1], bind.parts[-1] + 1)
                    found += trace(self.flow, bind.value, bind.scope, beside)
        return _unique(found)

    def network_calls(self, model: ModelSeen, moment: Moment) -> list[tuple[ast.Call, str]]:
        """The calls of a network in that moment, each with the function that it stands in."""
        return list(self._model_calls(model, moment))

    def input_names(self, model: ModelSeen, moment: Moment = "train") -> list[str]:
        """The expressions that the network is given, as source."""
        return [ast.unparse(call.args[0]) for call, _ in self._model_calls(model, moment)]

    def expression_at(self, model: ModelSeen, site: Site | None) -> str | None:
        """What the network is given at a line, as source."""
        return next((ast.unparse(c.args[0]) for c, _ in self._calls_of(model, {site} if site else set())), None)

    def expressions_at(self, model: ModelSeen, site: Site | None) -> list[str]:
        """What the network is given at a line that calls it by its name, as source, in the order of the calls."""
        calls = [c for c in self._calls_at(site) if c.args and not isinstance(c.args[0], ast.Starred)]
        own = [c for c in calls if dotted(c.func).removeprefix("self.") == model.name.removeprefix("self.")]
        return [ast.unparse(c.args[0]) for c in sorted(own, key=lambda c: (c.lineno, c.col_offset))]

    def inputs_at(self, model: ModelSeen, site: Site | None) -> list[Step]:
        """The steps from which a network's first input comes at one line."""
        found: list[Step] = []
        for call, scope in self._calls_of(model, {site} if site else set()):
            found += self._trace(call.args[0], scope)
        return _unique(found)

    def held_out_inputs(self, model: ModelSeen) -> list[Step]:
        """The steps from which inputs come at the lines of passes over samples that were not trained on; else of all."""
        passes = [a for a in model.answers if not (a.compared and a.known > 0.5 * a.compared)]
        sites = {a.site for a in passes if a.site is not None}
        found: list[Step] = []
        for call, scope in self._calls_of(model, sites):
            found += self._trace(call.args[0], scope)
        return _unique(found) or self.inputs(model, "evaluate")

    # ---- inside

    def _subtracted(self, site: Site | None) -> list[Step]:
        """Of `((out - y) ** 2).mean()`, on the way to what `backward` is called on, the side that no network gives."""
        names = {
            dotted(c.func).partition(".")[0] for m in self._evidence.models for c, _ in self._model_calls(m, "train")
        }
        for call in self._calls_at(site):
            if dotted(call.func).rpartition(".")[2] != "backward" or not isinstance(call.func, ast.Attribute):
                continue
            scope = self.flow.scope_at(call.lineno)
            for step in (s for s in self._trace(call.func.value, scope) if s.depth <= 2):
                for node in ast.walk(step.node):
                    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub):
                        sides = [s for s in (node.left, node.right) if not self._comes_from(s, names, step.scope)]
                        if len(sides) == 1:
                            return self._trace(sides[0], step.scope)
        return []

    def _comes_from(self, node: ast.expr, names: set[str], scope: str) -> bool:
        """Whether a call of one of these names gives the value, at once or through one variable."""
        called = {dotted(c.func).partition(".")[0] for c in calls_in(node)}
        for part in ast.walk(node):
            if isinstance(part, ast.Name):
                binds = self.flow.reaching((scope, part.id), node.lineno, scope)[:1]
                called |= {dotted(c.func).partition(".")[0] for b in binds for c in calls_in(b.value)}
        return bool(called & names)

    def _trace(self, expression: ast.expr, scope: str) -> list[Step]:
        return trace(self.flow, expression, scope)

    def _calls_at(self, site: Site | None) -> list[ast.Call]:
        if site is None or os.path.basename(site.file) != os.path.basename(self._evidence.script or ""):
            return []
        calls = [c.node for c in self._script.calls]
        first = [c for c in calls if c.lineno == site.line]
        return first or [c for c in calls if c.lineno <= site.line <= (c.end_lineno or c.lineno)]

    def _model_calls(self, model: ModelSeen, moment: Moment) -> Iterator[tuple[ast.Call, str]]:
        yield from self._calls_of(model, {c.site for c in model.calls if c.moment == moment and c.site is not None})

    def _calls_of(self, model: ModelSeen, sites: set[Site]) -> Iterator[tuple[ast.Call, str]]:
        for site in sorted(sites, key=lambda s: s.line):
            calls = [c for c in self._calls_at(site) if c.args and not isinstance(c.args[0], ast.Starred)]
            own = [c for c in calls if dotted(c.func).removeprefix("self.") == model.name.removeprefix("self.")]
            others = [c for c in calls if self._may_be_a_network(c)]
            for call in own[:1] or others[-1:]:
                yield call, self.flow.scope_at(call.lineno)

    def _may_be_a_network(self, call: ast.Call) -> bool:
        name = dotted(call.func)
        plain = isinstance(call.func, ast.Name) or name.startswith("self.")
        known = name in self.flow.functions or name in self.flow.imported or name in dir(__builtins__)
        loss = any(part in name.lower() for part in ("loss", "crit", "bce", "mse", "ce"))
        return plain and not known and not loss and name not in ("float", "print", "len", "sum", "int", "range", "zip")


# ---- which step a person would change


def nearest(steps: Iterable[Step], *tests: Callable[[Step], bool]) -> Step | None:
    """The first step that passes the first of the tests that any passes."""
    listed = [s for s in steps if s.line]
    for test in tests:
        for step in listed:
            if test(step):
                return step
    return None


def line_of(step: Step | None) -> int | None:
    """A step's line."""
    return step.line if step is not None else None


def calls_any(*names: str) -> Callable[[Step], bool]:
    """Whether a step calls a function of one of these last names."""
    return lambda step: any(dotted(c.func).rpartition(".")[2] in names for c in step.calls)


def converts(step: Step) -> bool:
    """Whether a step makes numbers of pictures or files: `torch.tensor(x)`, `.float()`."""
    return any(dotted(c.func).rpartition(".")[2] in CONVERTING for c in step.calls) or "float32" in step.text


def scales(step: Step) -> bool:
    """Whether a step multiplies, divides or normalises by numbers: `x / 255`, `(x - mean) / std`, `Normalize(...)`."""
    return count_scalings(step) > 0


def count_scalings(step: Step) -> int:
    """How many scalings a step holds, subtraction and division of one bracket counted once."""
    found = sum(dotted(c.func).rpartition(".")[2] in SCALERS for c in step.calls)
    for node in ast.walk(step.node):
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div) and not isinstance(node.left, ast.Constant):
            found += not _is_size(node.right)
        elif isinstance(node, ast.AugAssign) and isinstance(node.op, ast.Div):
            found += 1
    return found


def draws(step: Step) -> bool:
    """Whether a step draws random numbers."""
    return any(dotted(c.func).rpartition(".")[2] in DRAWING for c in step.calls)


def assigns(step: Step) -> bool:
    """Whether a step is an assignment."""
    return isinstance(step.node, (ast.Assign, ast.AnnAssign, ast.AugAssign))


def _is_size(node: ast.expr) -> bool:
    """`len(x)`, `n`: a division that averages rather than scales."""
    return any(dotted(c.func).rpartition(".")[2] == "len" for c in calls_in(node))


def _looks_like_loss(call: ast.Call, function: str) -> bool:
    name = dotted(call.func).rpartition(".")[2]
    return name == function or len(call.args) + len(call.keywords) >= 2


def _unique(steps: list[Step]) -> list[Step]:
    seen: dict[int, Step] = {}
    for step in steps:
        seen.setdefault(id(step.node), step)
    return list(seen.values())
