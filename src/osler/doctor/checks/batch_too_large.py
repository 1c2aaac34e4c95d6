"""So few updates in the whole run that the network has not got to where it could."""

from collections.abc import Iterator

import numpy as np

from osler.doctor import thresholds
from osler.doctor.case import Case
from osler.doctor.fault import Fault, NotSeen, check
from osler.doctor.loss_course import course, rates_are_searched, taught_loss, why_not_plain
from osler.doctor.performance import best_accuracy
from osler.doctor.settings import setting_line
from osler.structures.finding import Finding, Remedy, Where
from osler.vitals.evidence import LoaderSeen

FAULT = Fault(
    name="batch-too-large",
    category="optimisation",
    phase="after",
    title="Too few updates",
    symptom="Epochs are fast, the loss falls smoothly, and training ends while it is still falling.",
    cause=(
        "The number of updates is epochs times samples divided by the batch size. With a batch that holds a large "
        "part of the data, an "
        "epoch is a handful of steps, and the run ends after fewer than the task needs, however exact each one is."
    ),
    seen_by=(
        "at most ten updates an epoch and at most 200 in all, where a smaller batch is possible, and a loss that was still "
        "falling steadily"
    ),
    remedies=(
        Remedy("make the batch smaller", "Use 32 to 128 samples a batch: the same epochs then hold many more updates."),
        Remedy("train longer", "Keep the batch, and train for as many more epochs as the batch is larger."),
        Remedy("raise the rate with the batch", "With SGD multiply the rate by as much as the batch, with a warm-up."),
    ),
    sources=(
        "Goyal et al. 2017, Accurate, large minibatch SGD, section 2.1: rate and batch size together",
        "Holden 2017, My neural network isn't working, chapter on large batches; fewer than 200 updates is ours",
        "Keskar et al. 2017, On large-batch training for deep learning",
    ),
)


@check(FAULT)
def look(case: Case) -> Iterator[Finding]:
    """Counts updates, and looks at whether the loss was still falling."""
    optimizer = case.optimizers[0]
    if why_not_plain(case) or rates_are_searched(case) or case.evidence.ending.how not in ("finished", "exited"):
        return
    samples, size, loader = _data(case)
    if not samples or not size:
        raise NotSeen("the number of samples is not known")
    an_epoch = max(1.0, samples / size)
    if (
        an_epoch > thresholds.UPDATES_AN_EPOCH
        or optimizer.steps > thresholds.BATCH_FEW_UPDATES
        or samples < thresholds.FEW_SAMPLES
    ):
        return
    if loader is None and size >= samples and optimizer.steps > thresholds.WHOLE_BATCH_UPDATES:
        return  # graphs, and fits to a handful of points: all at once is how these are trained
    if optimizer.steps < 5 or size < thresholds.LARGE_BATCH or not _unfinished(case):
        return
    reached = best_accuracy(case, case.models[0])
    if case.classifies and reached is not None and reached.value > thresholds.LEARNT_WELL:
        return  # what is left of the loss is certainty, not answers
    loss = course(case)
    yield FAULT.found(
        f"a batch holds {size:,} of {samples:,} samples, so an epoch is {an_epoch:.0f} updates and the whole run "
        f"{optimizer.steps:,}; the "
        f"loss fell from {loss.start:.3g} to {loss.end:.3g} and was still falling",
        severity="warning",
        where=_where(case, loader),
        certainty=0.83,
        change=f"Use 32 to 64 samples a batch: {optimizer.steps * max(1, size // 48):,} updates in the same epochs.",
        series=case.loss_series(),
    )


def _data(case: Case) -> tuple[int, int, LoaderSeen | None]:
    """Samples and batch size of the training, and its loader where there is one; zeros where they are not known."""
    loaders = [x for x in case.evidence.loaders if x.used_for["train"] and x.samples and x.batch_size]
    if loaders:
        loader = max(loaders, key=lambda x: x.used_for["train"])
        return int(loader.samples or 0), min(int(loader.batch_size or 0), int(loader.samples or 0)), loader
    model = case.models[0]
    calls = [c for c in model.calls if c.moment == "train" and c.inputs and c.inputs[0].shape]
    size = int(np.median([c.inputs[0].shape[0] for c in calls])) if calls else 0
    return _different_samples(case), size, None


def _different_samples(case: Case) -> int:
    """How many different samples were trained on, among those kept; 0 where too few were kept to tell."""
    train = case.models[0].train
    if not train.picks:
        return 0
    width = train.picks[0].shape[1:]
    rows = np.concatenate([p for p in train.picks if p.shape[1:] == width])
    different = len(np.unique(rows, axis=0))
    return different if different < 0.7 * len(rows) else 0


def _unfinished(case: Case) -> bool:
    """Whether much of the loss is left and it was falling, no slower than a third of what it fell before."""
    loss, taught = course(case), taught_loss(case)
    left = (
        taught.left if taught is not None and taught.constant > 0 else loss.end / loss.start if loss.start > 0 else 0.0
    )
    late, strength = loss.change(0.5, 1.0, at_least=4)
    whole = float(loss.values[0]) - float(loss.values[-1])
    falling = strength < -3 and -late > thresholds.BATCH_STILL_FALLING * max(whole, 1e-12)
    return bool(left > thresholds.BATCH_LEFT and falling)


def _where(case: Case, loader: LoaderSeen | None) -> Where:
    if loader is not None and loader.site is not None:
        line = setting_line(case.script, loader.site, "batch_size", 1, "DataLoader")
        return case.line(line) if line else case.where(loader.site)
    for assignment in case.script.assignments:
        if any(
            ("batch" in name.lower() and "size" in name.lower()) or name.lower() in ("bs", "batch")
            for name in assignment.names
        ):
            return case.line(assignment.line)
    calls = [c for c in case.models[0].calls if c.moment == "train" and c.site is not None]
    return case.where(calls[0].site if calls else None)
