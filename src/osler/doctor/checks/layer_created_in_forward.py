"""A layer with weights that is made anew in every forward pass."""

import ast
from collections.abc import Iterator

from osler.doctor import thresholds
from osler.doctor.case import Case
from osler.doctor.fault import Fault, check
from osler.structures.finding import Finding, Remedy
from osler.vitals.evidence import ModelSeen, Site

FAULT = Fault(
    name="layer-created-in-forward",
    category="model",
    phase="during",
    title="A layer is created in forward",
    symptom="The loss falls less than it should, or not; results differ from call to call with the same weights.",
    cause=(
        "A layer that is made in forward starts from fresh random weights in every step. No optimizer knows them, and what "
        "the layers before it learn is meant for weights that are gone in the next step."
    ),
    seen_by="new parameters are registered at one line again and again during training calls, and a gradient runs to them",
    remedies=(
        Remedy("create it once", "Create the layer in __init__ and keep it as an attribute; call it in forward."),
        Remedy(
            "size from data", "If its size is not known before, use a lazy layer such as nn.LazyLinear in __init__."
        ),
    ),
    sources=(
        "StackOverflow case 84 of the published collections",
        "PyTorch documentation, Module.__init__ and lazy modules",
    ),
)


@check(FAULT)
def look(case: Case) -> Iterator[Finding]:
    """Looks at parameters that were made inside of forward passes."""
    for model in case.models:
        calls = model.call_counts["train"]
        for site, count in model.fresh_parameters.most_common():
            if min(count, calls) < thresholds.MADE_IN_FORWARD or count < calls // 2 or not _learns(case, model, site):
                continue
            place, layer = _called_at(case, site)
            yield FAULT.found(
                f"{count:,} parameters were made here during {calls:,} training calls of {model.name}: the "
                "layer starts from new random "
                "weights in every step, and no optimizer ever holds them",
                where=case.where(place, layer),
                certainty=0.97,
            )
            return


def _learns(case: Case, model: ModelSeen, site: Site) -> bool:
    """Whether a gradient is meant to reach what is made: a filter with fixed weights may be made anew."""
    unknown = any(n.shape is not None and n.parameter is None for b in case.evidence.backwards for n in b.graph)
    names = _attributes(case, site)
    return unknown or bool(names) or any(p.exchanged for p in model.parameters.values())


def _attributes(case: Case, site: Site) -> list[str]:
    """The attributes that are assigned at the line."""
    return [
        n
        for a in case.script.assignments
        if a.line <= site.line <= (a.value.end_lineno or a.line)
        for n in a.names
        if n.startswith("self.")
    ]


def _called_at(case: Case, site: Site) -> tuple[Site, str | None]:
    """The line in forward: where a class of the script makes the layer, the line at which that class is called."""
    names = _attributes(case, site)
    layer = names[0].removeprefix("self.") if names else None
    if site.function.rpartition(".")[2] != "__init__":
        return site, layer
    made = site.function.rpartition(".")[0].rpartition(".")[2]
    for call in case.script.calls_of(made):
        function = case.script.functions().get(call.function)
        if isinstance(function, ast.FunctionDef) and function.name not in ("__init__", "") and "." in call.function:
            inner = _attributes(case, Site(site.file, call.line, call.function))
            return Site(site.file, call.line, call.function), inner[0].removeprefix("self.") if inner else None
    return site, layer
