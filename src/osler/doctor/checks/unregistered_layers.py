"""Layers that a module cannot see: kept in a plain list or dict, or never made an attribute."""

import ast
from collections.abc import Iterator

from osler.doctor.case import Case
from osler.doctor.fault import Fault, check
from osler.doctor.script_reading import AssignmentRead, dotted
from osler.structures.finding import Finding, Remedy, Where
from osler.vitals.evidence import ModelSeen, Site

FAULT = Fault(
    name="unregistered-layers",
    category="model",
    phase="during",
    title="Layers are kept where the module cannot see them",
    symptom="The network trains worse than it should; parameters() is shorter than expected; saved weights lack layers.",
    cause=(
        "PyTorch finds sub-modules by the attributes that are modules. A Python list, tuple or dict of modules is none, so its "
        "parameters are in no optimizer, do not move to a device, are not saved, and keep the values that they were drawn with."
    ),
    seen_by=(
        "a module with parameters is called inside of the network's forward and is none of its sub-modules, a gradient runs to "
        "parameters that no network has, and no optimizer holds them"
    ),
    remedies=(
        Remedy("register the layers", "Keep them in nn.ModuleList, nn.ModuleDict or nn.Sequential."),
        Remedy("add them by name", "Call self.add_module(name, layer) for each; for tensors use nn.ParameterList."),
    ),
    sources=(
        "PyTorch documentation, Module and ModuleList",
        "PyTorch issues 715, 666, 1053, 59925, 72580: asked for since 2017",
    ),
)

CONTAINERS = (ast.List, ast.Tuple, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp, ast.GeneratorExp)
MADE = ("list", "dict", "tuple", "set", "defaultdict", "OrderedDict", "deque", "partial")
LEARNING = ("Parameter", "randn", "rand", "zeros", "empty", "tensor", "ones")


@check(FAULT)
def look(case: Case) -> Iterator[Finding]:
    """Looks at modules that were called but are held nowhere, and at parameters in lists."""
    unknown = _unknown(case)
    held = sum(o.strangers for o in case.evidence.optimizers if o.steps)
    if not unknown or held >= unknown:
        return  # frozen on purpose, or trained by a list of parameters of their own
    for model in case.models:
        for name, site in model.stray.items():
            if site is not None and _made_in_forward(model, site):
                continue  # another fault
            stored = _stored(case, name, site)
            held_in = f"{name} holds" if stored is not None else f"outside of {model.name} stand"
            yield FAULT.found(
                f"{held_in} layers that forward calls, but {model.name}.parameters() does not know them: {unknown} parameters get "
                "gradients and are in no optimizer, so that they stay as they were drawn",
                where=Where(case.evidence.script or (site.file if site else None), _line(stored, site), name),
                certainty=0.97,
                change=f"Put the layers of {name} into {_container(stored)}, so that they are registered.",
            )
            return
    yield from _bare_parameters(case, unknown)


def _unknown(case: Case) -> int:
    """Parameters in the graphs of the losses that belong to no network."""
    lines = [[n for n in b.graph if n.shape is not None and n.parameter is None] for b in case.evidence.backwards]
    return max((len(line) for line in lines), default=0)


def _made_in_forward(model: ModelSeen, site: Site) -> bool:
    return site in model.fresh_parameters or site.function.rpartition(".")[2] == "forward"


def _stored(case: Case, name: str, site: Site | None) -> AssignmentRead | None:
    """The assignment that gives the attribute its container."""
    attribute = f"self.{name.rpartition('.')[2]}"
    found = [a for a in case.script.assignments if attribute in a.names and _is_container(a.value)]
    near = [a for a in found if site is not None and abs(a.line - site.line) <= 30]
    return next(iter(near or found), None)


def _is_container(value: ast.expr) -> bool:
    if isinstance(value, CONTAINERS):
        return True
    return isinstance(value, ast.Call) and dotted(value.func).rpartition(".")[2] in MADE


def _line(stored: AssignmentRead | None, site: Site | None) -> int | None:
    return stored.line if stored is not None else site.line if site is not None else None


def _container(stored: AssignmentRead | None) -> str:
    if stored is None:
        return "attributes of the module (`self.layer = ...`)"
    name = dotted(stored.value.func) if isinstance(stored.value, ast.Call) else ""
    return "nn.ModuleDict" if isinstance(stored.value, (ast.Dict, ast.DictComp)) or "ict" in name else "nn.ModuleList"


def _bare_parameters(case: Case, unknown: int) -> Iterator[Finding]:
    """Parameters, not layers, in a list or dict of a module; or tensors that ask for a gradient as attributes."""
    for assignment in case.script.assignments:
        names = [n for n in assignment.names if n.startswith("self.")]
        if not names or not assignment.function.endswith("__init__"):
            continue
        calls = [n for n in ast.walk(assignment.value) if isinstance(n, ast.Call)]
        parameters = [c for c in calls if dotted(c.func).rpartition(".")[2] == "Parameter"]
        bare = [c for c in calls if dotted(c.func).rpartition(".")[2] in LEARNING and _asks_for_gradient(c)]
        if (parameters and _is_container(assignment.value)) or (bare and not parameters):
            name = names[0].removeprefix("self.")
            kind = "in a plain container" if parameters else "as a plain tensor"
            yield FAULT.found(
                f"{name} keeps what is to be learnt {kind}: {unknown} tensors get gradients, belong to no "
                "network's parameters() and "
                "are in no optimizer",
                where=case.line(assignment.line, name),
                certainty=0.93,
                change=f"Make {name} an nn.Parameter, or an nn.ParameterList of them.",
            )
            return


def _asks_for_gradient(call: ast.Call) -> bool:
    return any(
        k.arg == "requires_grad" and isinstance(k.value, ast.Constant) and k.value.value is True for k in call.keywords
    )
