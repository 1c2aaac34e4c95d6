"""The optimizer holds other parameters than those of the network that learns."""

from collections.abc import Iterator

import numpy as np

from osler.doctor import thresholds
from osler.doctor.case import Case
from osler.doctor.fault import Fault, check
from osler.structures.finding import Finding, Remedy
from osler.vitals.evidence import ModelSeen, OptimizerSeen, ParameterSeen

FAULT = Fault(
    name="optimizer-misses-parameters",
    category="optimisation",
    phase="during",
    title="The optimizer does not hold the model's parameters",
    symptom="Part of the network, or all of it, stays as it began, though gradients are computed for it.",
    cause=(
        "An optimizer keeps the parameters that it was given when it was made. A network built anew, a head put in later, or "
        "a second network whose parameters were left out are not among them: backward fills their gradients, and no step "
        "uses these."
    ),
    seen_by="a trainable parameter gets gradients, is in no group of any optimizer, and ends as it began",
    remedies=(
        Remedy("make the optimizer last", "Make the optimizer after the network is complete, heads included."),
        Remedy("give it all parameters", "Pass the parameters of every network that is to learn, or add them by add_param_group."),
    ),
    sources=(
        "PyTorch documentation, torch.optim: parameters are those given when the optimizer is made",
        "Jiang et al. 2025 (TrainCheck), case of an optimizer with parameters of another model",
    ),
)  # fmt: skip


@check(FAULT)
def look(case: Case) -> Iterator[Finding]:
    """Compares what learns with what the optimizers hold."""
    told = False
    for optimizer in case.optimizers:
        for model in case.models:
            missing = _missing(case, model)
            if missing and _holds_others(optimizer):
                told = True
                yield _of_another(case, optimizer, model, missing)
                break
        else:
            if _holds_only_others(optimizer) and _empty(optimizer) and case.evidence.event_counts["B"]:
                told = True
                yield _of_another(case, optimizer, case.models[0], [])
    if told:
        return
    optimised = any(_moves_strangers(o) for o in case.optimizers)  # inputs, or weights that no module holds
    for model in [m for m in case.evidence.models if m.call_counts["train"]]:
        missing = _missing(case, model)
        matrices = [n for n in missing if len(model.parameters[n].shape) >= 2]
        if (
            matrices
            and not _trained_before(case, model, matrices)
            and not (optimised and len(missing) == len(model.parameters))
        ):
            yield _left_out(case, model, missing)
            return


def _missing(case: Case, model: ModelSeen) -> list[str]:
    """Names of parameters that gradients reach and no optimizer holds."""
    reached = {node.parameter for line in case.evidence.backwards for node in line.graph if node.parameter}
    return [
        name
        for name, parameter in model.parameters.items()
        if parameter.requires_grad
        and not parameter.optimizers
        and not parameter.moved
        and (name in reached or parameter.gradient_at_end)
    ]


def _holds_others(optimizer: OptimizerSeen) -> bool:
    """Whether it holds parameters of no network that was called, and these never had a gradient."""
    unknown = {name for s in optimizer.samples for name in s.updates if name.startswith("parameter ")}
    taught = {name for s in optimizer.samples for name in s.gradients}
    return optimizer.strangers > 0 and optimizer.steps >= thresholds.MISSED_STEPS and not unknown & taught


def _holds_only_others(optimizer: OptimizerSeen) -> bool:
    return optimizer.strangers > 0 and not optimizer.parameters and optimizer.steps >= thresholds.MISSED_STEPS


def _trained_before(case: Case, model: ModelSeen, names: list[str]) -> bool:
    """Whether these weights come from somewhere: loaded, unpickled, or copied from a network that was trained here."""
    if model.loaded or case.script.calls_of("hub", "from_pretrained"):
        return True
    if any(c.name in ("torch.load", "pickle.load") for c in case.script.calls):
        return True
    others = [p for m in case.evidence.models if m is not model for p in m.parameters.values() if p.moved]
    return any(
        other.end_values is not None and np.array_equal(model.parameters[name].start_values, other.end_values)
        for name in names
        for other in others
    )


def _moves_strangers(optimizer: OptimizerSeen) -> bool:
    """Whether it moves what belongs to no network."""
    return any(size > 0 for s in optimizer.samples for name, size in s.updates.items() if name.startswith("parameter "))


def _empty(optimizer: OptimizerSeen) -> bool:
    return optimizer.looked > 0 and optimizer.empty_steps == optimizer.looked


def _of_another(case: Case, optimizer: OptimizerSeen, model: ModelSeen, missing: list[str]) -> Finding:
    what = _named(model, missing) if missing else f"the parameters of {model.name}"
    empty = (
        f"; {optimizer.empty_steps} of {optimizer.looked} steps looked at found no gradient at all"
        if _empty(optimizer)
        else ""
    )
    return FAULT.found(
        f"{optimizer.kind} holds {optimizer.strangers} parameters of no network that is called, and not {what}, which "
        f"{'get' if len(missing) != 1 else 'gets'} gradients and stay as they began{empty}",
        where=case.where(optimizer.site, _layer(model, missing)),
        certainty=0.96,
        change=f"Make the optimizer after {model.name} is complete, so that it is given the parameters that learn.",
    )


def _left_out(case: Case, model: ModelSeen, missing: list[str]) -> Finding:
    values = sum(_count(model.parameters[n]) for n in missing)
    every = sum(_count(p) for p in model.parameters.values())
    optimizer = case.optimizers[0]
    whole = len(missing) == len(model.parameters)
    return FAULT.found(
        f"{_named(model, missing)} ({values:,} of {every:,} values of {model.name}) get gradients, are in no optimizer, and "
        "stay as they began, at random",
        severity="critical" if whole or values > 0.5 * every else "warning",
        where=case.where(optimizer.site, None if whole else _layer(model, missing)),
        certainty=0.9,
        change=f"Give {optimizer.kind} these parameters as well, or take their gradient away if they are meant to stay.",
    )


def _count(parameter: ParameterSeen) -> int:
    return parameter.start.count


def _layer(model: ModelSeen, missing: list[str]) -> str | None:
    """The layer, or the part of the network, in which all that is missing lies."""
    parts = [model.parameters[name].layer.split(".") for name in missing]
    if not parts:
        return None
    common = []
    for level in zip(*parts, strict=False):
        if len(set(level)) > 1:
            break
        common.append(level[0])
    return ".".join(common) or None


def _named(model: ModelSeen, missing: list[str]) -> str:
    shown = ", ".join(missing[:3])
    return shown if len(missing) <= 3 else f"{shown} and {len(missing) - 3} more parameters"
