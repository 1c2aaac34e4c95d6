"""Random weights that are not allowed to learn."""

import ast
from collections.abc import Iterator

import numpy as np

from osler.doctor import thresholds
from osler.doctor.case import Case
from osler.doctor.fault import Fault, check
from osler.doctor.freshly_drawn import is_freshly_drawn, learnt_before
from osler.doctor.loss_left import has_learnt
from osler.doctor.script_reading import dotted
from osler.structures.finding import Finding, Remedy, Where
from osler.vitals.evidence import ModelSeen, ParameterSeen

FAULT = Fault(
    name="frozen-parameters",
    category="model",
    phase="during",
    title="Parameters that should learn are frozen",
    symptom="Training stalls early; only a head learns, on features that mean nothing; or nothing learns at all.",
    cause=(
        "requires_grad is off for layers whose weights were drawn at random and never loaded, so that they stay noise. Often a "
        "line that was meant for a pre-trained backbone, or one that freezes the head along with it."
    ),
    seen_by=(
        "matrices without requires_grad, in a network that learns, whose values have the mean, the spread and the bounds that an "
        "initialiser draws, and that are equal to no weights learnt before"
    ),
    remedies=(
        Remedy(
            "unfreeze",
            "Remove the line that sets requires_grad to False, or restrict it to layers with loaded weights.",
        ),
        Remedy("load weights", "Load pre-trained weights into the frozen part before it is frozen."),
    ),
    sources=(
        "TrainCheck (Jiang et al. 2025): frozen layers by mistake",
        "Yosinski et al. 2014, section 4: random frozen features",
    ),
)


@check(FAULT)
def look(case: Case) -> Iterator[Finding]:
    """Looks at which parameters may learn, and whether the others are still as they were drawn."""
    for model in case.models:
        matrices = {
            n: p for n, p in model.parameters.items() if len(p.shape) >= 2 and "Embedding" not in _kind(model, p)
        }
        frozen = {
            n: p for n, p in matrices.items() if not p.requires_grad and not p.moved and not learnt_before(case, n, p)
        }
        fresh = {n: p for n, p in frozen.items() if is_freshly_drawn(p)}
        head = _head(case, model)
        head_frozen = head is not None and any(p.layer == head for p in frozen.values())
        if not fresh or (model.loaded and not head_frozen):
            continue
        if head_frozen:
            fresh = {n: p for n, p in fresh.items() if p.layer == head} or fresh
        share = sum(p.start.count for p in fresh.values()) / sum(p.start.count for p in matrices.values())
        if share < thresholds.SHARE_FROZEN and not head_frozen:
            continue
        layers = list(dict.fromkeys(p.layer for p in fresh.values()))
        meant = all(_has_adapter(model, n, p) for n, p in fresh.items()) or (
            not head_frozen and _random_features(fresh) and has_learnt(case, thresholds.LEARNT_ON_RANDOM_FEATURES)
        )
        yield FAULT.found(
            f"{len(layers)} of {len({p.layer for p in matrices.values()})} layers ({', '.join(layers[:4])}; {share:.0%} of the "
            f"weights) have requires_grad=False, and their weights are still as an initialiser draws them: "
            + (
                "no learnt ones were ever put in"
                if not head_frozen
                else "the last layer decides the answers and cannot learn"
            ),
            severity="note"
            if meant
            else "critical"
            if share > thresholds.SHARE_FROZEN_CRITICAL or head_frozen
            else "warning",
            where=_where(case, model, head if head_frozen and head else layers[0]),
            certainty=0.93,
        )


def _kind(model: ModelSeen, parameter: ParameterSeen) -> str:
    layer = model.layers.get(parameter.layer)
    return layer.kind if layer is not None else ""


def _head(case: Case, model: ModelSeen) -> str | None:
    """The last layer with weights that runs."""
    weighted = [
        x
        for x in case.layers(model)
        if any(len(model.parameters[n].shape) >= 2 for n in x.parameters if n in model.parameters)
    ]
    return weighted[-1].name if len(weighted) > 1 else None


def _random_features(fresh: dict[str, ParameterSeen]) -> bool:
    """One wide layer of random features, as an extreme learning machine or a random projection has it on purpose."""
    if len(fresh) != 1:
        return False
    (parameter,) = fresh.values()
    fan_in, _ = fans_of_units(parameter)
    return parameter.shape[0] >= fan_in


def _has_adapter(model: ModelSeen, name: str, frozen: ParameterSeen) -> bool:
    """Whether a narrow pair of matrices beside a frozen one learns in its place, as low-rank adaptation has it.

    The pair stands in the same module, leads from the frozen matrix's inputs to its outputs and is narrower between
    than either (Hu et al. 2022, LoRA, section 4.1).
    """
    fan_in, units = fans_of_units(frozen)
    owner = ".".join(name.split(".")[:-2])
    beside = [
        {int(np.prod(p.shape[1:])), p.shape[0]}
        for n, p in model.parameters.items()
        if n.startswith(f"{owner}." if owner else "") and p.requires_grad and p.moved and len(p.shape) >= 2
    ]
    ranks = {min(sides) for sides in beside if min(sides) < min(fan_in, units)}
    return any({fan_in, rank} in beside and {units, rank} in beside for rank in ranks)


def fans_of_units(parameter: ParameterSeen) -> tuple[int, int]:
    """Inputs and outputs of a unit."""
    return int(np.prod(parameter.shape[1:])), parameter.shape[0]


def _where(case: Case, model: ModelSeen, layer: str) -> Where:
    """The line that switches gradients off: the one in whose loop or call the layer is named, else the first."""
    lines = sorted(_lines(case))
    owner = _owner(model, layer)
    if not lines:
        return case.where(None, owner)
    parts = [part for part in layer.split(".") if not part.isdigit()]
    named = [line for line in lines if any(p in _around(case, line) for p in parts)]
    return case.line((named or lines)[0], owner)


def _owner(model: ModelSeen, layer: str) -> str:
    """The largest part of the network around the layer in which every matrix is frozen."""
    best, parts = layer, layer.split(".")
    for depth in range(len(parts) - 1, 0, -1):
        prefix = ".".join(parts[:depth]) + "."
        inside = [p for n, p in model.parameters.items() if n.startswith(prefix) and len(p.shape) >= 2]
        if any(p.requires_grad for p in inside):
            break
        best = prefix[:-1]
    return best


def _around(case: Case, line: int) -> str:
    return "\n".join(case.script.lines[max(0, line - 3) : line])


def _lines(case: Case) -> Iterator[int]:
    for node in ast.walk(case.script.tree):
        if isinstance(node, ast.Assign):
            set_here = any(isinstance(t, ast.Attribute) and t.attr == "requires_grad" for t in node.targets)
            if set_here and not (isinstance(node.value, ast.Constant) and node.value.value is True):
                yield node.lineno
        elif isinstance(node, ast.Call) and _switches_off(node):
            yield node.lineno


def _switches_off(node: ast.Call) -> bool:
    """`x.requires_grad_(False)`, and `nn.Parameter(x, requires_grad=False)`."""
    name = dotted(node.func).rpartition(".")[2] or getattr(node.func, "attr", "")
    first = [*node.args, *(k.value for k in node.keywords)] if name == "requires_grad_" else []
    by_name = [k.value for k in node.keywords if k.arg == "requires_grad"] if name == "Parameter" else []
    return any(isinstance(v, ast.Constant) and v.value is False for v in (*first, *by_name))
