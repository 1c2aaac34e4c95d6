"""The learning-rate schedule does not do what it was meant to do."""

import ast
from collections.abc import Iterator

import numpy as np

from osler.doctor import thresholds
from osler.doctor.case import Case
from osler.doctor.fault import Fault, NotSeen, check
from osler.doctor.loss_course import course, rates_are_searched, taught_loss
from osler.structures.finding import Finding, Remedy, Series
from osler.vitals.evidence import OptimizerSeen, SchedulerSeen, Site

FAULT = Fault(
    name="scheduler-misused",
    category="optimisation",
    phase="after",
    title="The learning-rate schedule is wrong",
    symptom="The loss stops falling early and stays where it is, or never begins to fall.",
    cause=(
        "Schedules count calls of their step, not epochs. Constants meant for epochs, with a step at every batch, use up the "
        "rate within the first epochs; a schedule that is never stepped stays at its first value, which a warm-up begins at "
        "nothing; one meant for batches and stepped at every epoch never leaves its warm-up."
    ),
    seen_by=(
        "a schedule is made and never stepped, or the rate is below 1 % of its peak for more than half of the run although the "
        "loss had not settled, or it never comes near the rate that was asked for"
    ),
    remedies=(
        Remedy("step at the right place", "Step once an epoch where constants count epochs, else at every update."),
        Remedy("fit the constants to the run", "Let the length of the schedule be the number of its steps in the whole run."),
        Remedy("leave the schedule out", "Find a constant rate that learns first; add the decay afterwards."),
    ),
    sources=(
        "PyTorch documentation, How to adjust learning rate: schedules count calls of step",
        "Karpathy 2019, A recipe for training neural networks: learning rate decay defaults are not to be trusted",
        "PyTorch Lightning, warning about OneCycleLR with interval epoch",
    ),
)  # fmt: skip

COMPOSED = ("SequentialLR", "ChainedScheduler")
CONSTANTS = {
    "CosineAnnealingLR": "T_max",
    "StepLR": "step_size",
    "MultiStepLR": "milestones",
    "LinearLR": "total_iters",
}


@check(FAULT)
def look(case: Case) -> Iterator[Finding]:
    """Looks at the schedules and at the rates that were used."""
    evidence = case.evidence
    if not evidence.schedulers and all(len(o.rates) < 2 for o in case.optimizers):
        raise NotSeen("the rate was constant and no schedule was made")
    told = False
    for scheduler in evidence.schedulers:
        for finding in (*_never_stepped(case, scheduler), *_of_another(case, scheduler), *_wrong_way(case, scheduler)):
            told = True
            yield finding
    if told:
        return
    searched = rates_are_searched(case)
    for optimizer in case.optimizers:
        own = [
            s for s in evidence.schedulers if s.optimizer is not None and evidence.optimizers[s.optimizer] is optimizer
        ]
        seen = _begins_anew(case, optimizer, own)
        if seen is None and not searched:
            seen = _not_reached(case, optimizer, own) or _used_up(case, optimizer, own)
        if seen is not None:
            yield seen


def _never_stepped(case: Case, scheduler: SchedulerSeen) -> Iterator[Finding]:
    evidence = case.evidence
    optimizer = evidence.optimizers[scheduler.optimizer] if scheduler.optimizer is not None else None
    composed = any(s.kind in COMPOSED and s.optimizer == scheduler.optimizer for s in evidence.schedulers)
    if scheduler.steps or optimizer is None or optimizer.steps < thresholds.SCHEDULE_STEPS or scheduler.kind == "SWALR":
        return
    if evidence.ending.how not in ("finished", "exited") or (composed and scheduler.kind not in COMPOSED):
        return
    rate, base = optimizer.rates[-1][1] if optimizer.rates else float("nan"), _asked_for(optimizer)
    low = base > 0 and rate < thresholds.RATE_NOT_REACHED * base
    yield FAULT.found(
        f"{scheduler.kind} is made and never stepped in {optimizer.steps:,} updates: the rate stays at {rate:.3g}"
        + (f", where {base:.3g} was asked for" if low else ""),
        severity="critical" if low else "warning",
        where=case.where(scheduler.site),
        certainty=0.97 if low else 0.9,
        change="Call the schedule's step() in the loop, after the optimizer's.",
    )


def _of_another(case: Case, scheduler: SchedulerSeen) -> Iterator[Finding]:
    """A schedule that moves the rate of an optimizer that makes no steps."""
    if scheduler.optimizer is None or not scheduler.steps:
        return
    optimizer = case.evidence.optimizers[scheduler.optimizer]
    others = [o for o in case.evidence.optimizers if o is not optimizer and o.steps >= thresholds.SCHEDULE_STEPS]
    if optimizer.steps == 0 and others:
        yield FAULT.found(
            f"{scheduler.kind} is stepped {scheduler.steps:,} times for an optimizer that makes no step; the one that does "
            f"({others[0].kind}) keeps its rate of {others[0].rates[-1][1]:.3g}",
            severity="warning",
            where=case.where(scheduler.site),
            certainty=0.9,
            change="Give the schedule the optimizer that is used in the loop.",
        )


def _wrong_way(case: Case, scheduler: SchedulerSeen) -> Iterator[Finding]:
    """ReduceLROnPlateau that waits for a loss to rise or for an accuracy to fall, by the name of what it is given."""
    if scheduler.kind != "ReduceLROnPlateau" or scheduler.optimizer is None:
        return
    mode = scheduler.options.get("mode")
    lines = {site.line for site in scheduler.step_sites}
    given = [c.node.args[0] for c in case.script.calls_of("step") if c.line in lines and c.node.args]
    words = " ".join(ast.unparse(value).lower() for value in given)
    better_low = any(w in words for w in ("loss", "err", "mse", "mae")) and "acc" not in words
    better_high = any(w in words for w in ("acc", "score", "f1", "iou", "auc")) and "loss" not in words
    rates = case.evidence.optimizers[scheduler.optimizer].rates
    reduced = len(rates) > 1 and rates[-1][1] < rates[0][1]
    if reduced and ((mode == "max" and better_low) or (mode == "min" and better_high)):
        yield FAULT.found(
            f"ReduceLROnPlateau is made with mode '{mode}' and given {words}: it takes every improvement for a standstill, and "
            f"the rate fell from {rates[0][1]:.3g} to {rates[-1][1]:.3g}",
            severity="warning",
            where=case.where(scheduler.site),
            certainty=0.92,
            change=f"Use mode='{'min' if mode == 'max' else 'max'}'.",
        )


def _not_reached(case: Case, optimizer: OptimizerSeen, own: list[SchedulerSeen]) -> Finding | None:
    """The rate stays far below what was asked for: a warm-up that is never left, or a rate that is taken for a factor."""
    base, rates = _asked_for(optimizer), rate_course(optimizer)
    stepped = [s for s in own if s.steps]
    if not stepped or not base > 0 or optimizer.steps < thresholds.SCHEDULE_STEPS:
        return None
    if rates.max() >= thresholds.RATE_NOT_REACHED * base or case.evidence.ending.how in (
        "crashed",
        "interrupted",
        "budget",
    ):
        return None
    schedule = stepped[0]
    seldom = schedule.steps < 0.5 * optimizer.steps
    total = schedule.options.get("total_steps")
    if isinstance(total, int) and not seldom:
        return None  # a run that was stopped early
    rising = bool(rates[-1] > 1.05 * rates[0])
    late = seldom and rising  # else the factor itself is too small
    length = f" of its {total:,}" if isinstance(total, int) else ""
    return FAULT.found(
        f"the rate never rises above {rates.max():.3g}, {rates.max() / base:.1%} of the {base:.3g} that was asked for: "
        f"{schedule.kind} made {schedule.steps:,}{length} steps in {optimizer.steps:,} updates",
        where=case.where(_step_site(schedule) if late else schedule.site),
        certainty=0.93,
        change="Step the schedule after every update." if late else "Let the schedule's factor be 1 at full rate.",
        series=_rate_series(rates),
    )


def _used_up(case: Case, optimizer: OptimizerSeen, own: list[SchedulerSeen]) -> Finding | None:
    """The rate is next to nothing for most of the run, and the loss had not settled when it got there."""
    rates = rate_course(optimizer)
    if len(rates) < thresholds.SCHEDULE_STEPS or not rates.max() > 0 or len(case.optimizers) > 1:
        return None
    high = np.flatnonzero(rates >= thresholds.RATE_USED_UP * rates.max())
    end = int(high[-1]) + 1
    if end > thresholds.USED_UP_BEFORE * len(rates) or _settled(case, end / len(rates)):
        return None
    schedule = max(own, key=lambda s: s.steps, default=None)
    often = schedule is not None and schedule.steps > 0.5 * optimizer.steps
    return FAULT.found(
        f"after {end:,} of {len(rates):,} updates the rate is below {thresholds.RATE_USED_UP:.0%} of its peak of "
        f"{rates.max():.3g} and stays there, down to {rates[-1]:.2g}, while the loss still stood at "
        f"{_loss_at(case, end / len(rates)):.3g}"
        + (
            f"; {schedule.kind} was stepped {schedule.steps:,} times, at every update"
            if schedule is not None and often
            else ""
        ),
        where=case.where(
            _step_site(schedule) if often and schedule is not None else schedule.site if schedule else _by_hand(case)
        ),
        certainty=0.9,
        change="Step the schedule once an epoch, or count its constants in updates." if often else None,
        series=_rate_series(rates),
    )


def _begins_anew(case: Case, optimizer: OptimizerSeen, own: list[SchedulerSeen]) -> Finding | None:
    """A cosine that goes up again because it is stepped more often than it is long."""
    for schedule in own:
        length = schedule.options.get("T_max")
        if schedule.kind != "CosineAnnealingLR" or not isinstance(length, (int, float)) or not length > 0:
            continue
        rounds, epochs = schedule.steps / (2 * length), _epochs(case)
        of_epochs = schedule.steps > 0.5 * optimizer.steps and (length <= 2 * epochs if epochs > 1 else True)
        least = thresholds.COSINE_ROUNDS if epochs > 1 else thresholds.COSINE_ROUNDS_FOR_SURE
        if rounds >= least and of_epochs:
            return FAULT.found(
                f"CosineAnnealingLR is {length:g} steps long and was stepped {schedule.steps:,} times: the rate went down and up "
                f"again {rounds:.0f} times",
                severity="warning",
                where=case.where(_step_site(schedule)),
                certainty=0.9,
                change=f"Step it once an epoch, or make it with T_max={schedule.steps}.",
                series=_rate_series(rate_course(optimizer)),
            )
    return None


def _epochs(case: Case) -> int:
    """How many epochs there were, by what is done once in each; 0 or 1 where nothing tells."""
    evidence = case.evidence
    passes = max((x.passes for x in evidence.loaders if x.used_for["train"]), default=0)
    made_anew = sum(1 for x in evidence.loaders if x.used_for["train"])
    modes = evidence.event_counts["T"]
    validations = max((len(m.answers) for m in case.models), default=0)
    return max(passes, made_anew, min(modes, _updates(case) // 2), min(validations, _updates(case) // 2))


def _updates(case: Case) -> int:
    """Updates of the optimizer that makes most."""
    return case.optimizers[0].steps


def rate_course(optimizer: OptimizerSeen) -> np.ndarray:
    """The rate of every update, the first group's."""
    if not optimizer.rates:
        return np.zeros(0)
    steps = np.array([step for step, _ in optimizer.rates])
    values = np.array([rate for _, rate in optimizer.rates])
    return values[np.searchsorted(steps, np.arange(1, optimizer.steps + 1), side="right") - 1]


def _asked_for(optimizer: OptimizerSeen) -> float:
    """The rate that the person wrote: the schedule's aim where it has one, else the optimizer's."""
    options = optimizer.options[0] if optimizer.options else {}
    for name in ("max_lr", "initial_lr", "lr"):
        value = options.get(name)
        if isinstance(value, (int, float)) and value > 0:
            return float(value)
    return float("nan")


def _settled(case: Case, share: float) -> bool:
    """Whether the loss had nearly got where it was to go when that share of the run was over."""
    loss, taught = course(case), taught_loss(case)
    reference = taught.constant if taught is not None and taught.constant > 0 else abs(loss.start)
    if loss.end < thresholds.LEARNT * reference:
        return True
    slope, strength = loss.change(0.3 * share, share)
    falling = strength < -3 and -slope > 0.1 * abs(loss.end)
    return not falling and loss.end < thresholds.HARDLY_LEARNT * reference


def _loss_at(case: Case, share: float) -> float:
    values = course(case).values
    place = int(share * len(values))
    return float(np.mean(values[max(0, place - 10) : place + 10]))


def _step_site(scheduler: SchedulerSeen) -> Site | None:
    return scheduler.step_sites.most_common(1)[0][0] if scheduler.step_sites else scheduler.site


def _by_hand(case: Case) -> Site | None:
    """The line that writes a rate into the optimizer's groups."""
    for assignment in case.script.assignments:
        text = case.script.lines[assignment.line - 1] if assignment.line <= len(case.script.lines) else ""
        if '["lr"]' in text.split("=")[0] or "['lr']" in text.split("=")[0]:
            return Site(case.evidence.script, assignment.line)
    return case.optimizers[0].site


def _rate_series(rates: np.ndarray) -> tuple[Series, ...]:
    places = np.unique(np.linspace(0, len(rates) - 1, 60).astype(int))
    return (Series("learning rate", tuple(int(p) + 1 for p in places), tuple(float(rates[p]) for p in places)),)
