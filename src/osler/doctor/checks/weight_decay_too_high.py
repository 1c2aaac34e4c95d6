"""Regularisation outweighs what the data say."""

import re
from collections.abc import Iterator

import numpy as np

from osler.doctor import thresholds
from osler.doctor.case import Case
from osler.doctor.fault import Fault, check
from osler.doctor.loss_course import TaughtLoss, course, is_all_that_is_taught, taught_loss
from osler.doctor.settings import setting_line
from osler.structures.finding import Finding, Remedy
from osler.vitals.evidence import OptimizerSeen

FAULT = Fault(
    name="weight-decay-too-high",
    category="optimisation",
    phase="during",
    title="Regularisation overwhelms the data",
    symptom="The loss falls a little and stops near that of a constant answer; weights shrink towards nothing.",
    cause=(
        "Weight decay pulls every weight towards zero. Where that pull is larger than the gradient of the data, the weights "
        "follow it: signals shrink from layer to layer, and with them the gradients that could have held against it."
    ),
    seen_by=(
        "over the first half of the updates looked at, when the data's gradient is largest, the pull of the decay is "
        "a third of it or more "
        "(half of the whole update where it is decoupled), and the loss stays high"
    ),
    remedies=(
        Remedy("lower the weight decay", "Use 1e-4 to 5e-4 with SGD, 1e-2 to 1e-1 with AdamW; begin without any."),
        Remedy("decouple it", "With Adam use AdamW: there the decay is not divided by the size of the gradient."),
    ),
    sources=(
        "Ben Braiek, Khomh 2022 (TheDeepChecker): penalty's gradient at least twice the data's for five checks; the "
        "third is ours",
        "Loshchilov, Hutter 2019, Decoupled weight decay regularization, sections 1 and 2",
    ),
)


@check(FAULT)
def look(case: Case) -> Iterator[Finding]:
    """Compares the pull of decay with the data's gradient, and a penalty in the loss with the rest of it."""
    taught, loss = taught_loss(case), course(case)
    left = (
        taught.left if taught is not None and taught.constant > 0 else loss.end / loss.start if loss.start > 0 else 0.0
    )
    for optimizer in case.optimizers:
        finding = _decay(case, optimizer, left)
        if finding is not None:
            yield finding
            return
    if taught is not None and left > thresholds.DECAY_LEFT:
        yield from _penalty(case, taught)


def _decay(case: Case, optimizer: OptimizerSeen, left: float) -> Finding | None:
    decay = max((float(g.get("weight_decay") or 0.0) for g in optimizer.options), default=0.0)
    decoupled = optimizer.kind == "AdamW" or bool(optimizer.options[0].get("decoupled_weight_decay"))
    pulls = _pulls(case, optimizer, decay, decoupled)
    if len(pulls) < thresholds.DECAY_SAMPLES or (not decoupled and decay < thresholds.DECAY_USUAL):
        return None
    early = float(np.median(pulls[: max(thresholds.DECAY_SAMPLES, len(pulls) // 2)]))
    if (
        early < (thresholds.DECAY_SHARE_OF_UPDATE if decoupled else thresholds.DECAY_AGAINST_DATA)
        or left < thresholds.DECAY_LEAST_LEFT
    ):
        return None
    shrunk = _shrunk(case, optimizer)
    pull = f"makes {min(early, 1.0):.0%} of the update" if decoupled else f"is {early:.2g} times the data's gradient"
    line = setting_line(case.script, optimizer.site, "weight_decay", None, optimizer.kind)
    return FAULT.found(
        f"with weight_decay={decay:g} the decay's pull {pull} at the middle of the first "
        f"{max(thresholds.DECAY_SAMPLES, len(pulls) // 2)} "
        f"updates looked at (healthy: about a hundredth); weights end at {shrunk:.0%} of their first size, with "
        f"{left:.0%} of the loss left",
        severity="critical" if left > thresholds.DECAY_LEFT else "warning",
        where=case.line(line) if line else case.where(optimizer.site),
        certainty=0.9,
        change=f"Lower weight_decay from {decay:g} to about {'0.01' if decoupled else '1e-4'}.",
    )


def _pulls(case: Case, optimizer: OptimizerSeen, decay: float, decoupled: bool) -> list[float]:
    """By sampled update, the median over matrices of the decay's pull: against the data's gradient, or as a share of the update."""
    pulls = []
    for sample in optimizer.samples:
        rate = sample.lr[0] if sample.lr else 0.0
        by_matrix = []
        for name, size in sample.weights.items():
            other = sample.updates.get(name, 0.0) / rate if decoupled and rate > 0 else sample.gradients.get(name, 0.0)
            if decay * size > 0 and other > 0 and rate > 0 and _is_matrix(case, name):
                by_matrix.append(decay * size / other)
        if by_matrix and np.all(np.isfinite(by_matrix)):
            pulls.append(float(np.median(by_matrix)))
    return pulls


def _shrunk(case: Case, optimizer: OptimizerSeen) -> float:
    """The matrices' size at the last sampled update against that at the first, the median."""
    first, last = optimizer.samples[0].weights, optimizer.samples[-1].weights
    shares = [last[n] / first[n] for n in first if n in last and first[n] > 1e-12 and _is_matrix(case, n)]
    return float(np.median(shares)) if shares else float("nan")


def _is_matrix(case: Case, name: str) -> bool:
    for model in case.evidence.models:
        if name in model.parameters:
            return sum(size > 1 for size in model.parameters[name].shape) >= 2
    return True


def _penalty(case: Case, taught: TaughtLoss) -> Iterator[Finding]:
    """A term on the weights in the loss itself, larger than the loss of the data."""
    if is_all_that_is_taught(case, taught.loss) or taught.loss.options.get("reduction") == "sum":
        return
    curve = {int(step): value for step, value in case.loss_curve}
    pairs = [(curve[s.step - 1], s.value) for s in taught.loss.samples if s.moment == "train" and s.step - 1 in curve]
    if len(pairs) < thresholds.DECAY_SAMPLES:
        return
    whole, data = (float(np.mean([p[k] for p in pairs[:5]])) for k in (0, 1))
    ends = [p.end.std / p.start.std for m in case.models for p in m.parameters.values()
            if len(p.shape) >= 2 and p.end is not None and p.start.std > 1e-9]  # fmt: skip
    line = _penalty_line(case)
    if line is None or not ends or np.median(ends) > thresholds.DECAY_SHRUNK or whole - data < 0.5 * data:
        return
    yield FAULT.found(
        f"the loss began at {whole:.3g}, of which the data made {data:.3g} and the penalty on the weights the rest; "
        f"weights shrank to "
        f"{np.median(ends):.1%} of their first spread while the data's loss stayed at {taught.late:.3g}",
        where=case.line(line),
        certainty=0.88,
        change="Lower the factor of the penalty until the data's part is the larger one.",
    )


def _penalty_line(case: Case) -> int | None:
    """The line that puts a norm of the parameters into the loss."""
    measure = re.compile(r"\.pow\(|\*\*\s*2|\.norm\(|\.abs\(|\.square\(")
    over = re.compile(r"parameters\(\)|\bparams?\b|weight|\bw\b|\bp\b")
    lines = [n for n, text in enumerate(case.script.lines, 1) if measure.search(text) and over.search(text)]
    near = [n for n in lines if "parameters()" in case.script.lines[n - 1]]
    return next(iter(near or lines), None)
