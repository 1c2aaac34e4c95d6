"""The loss and the targets do not belong together."""

from collections.abc import Iterator

import numpy as np

from osler.doctor import thresholds
from osler.doctor.case import BINARY_LOSSES, CLASS_LOSSES, REGRESSION_LOSSES, Case
from osler.doctor.class_numbers import why_classes
from osler.doctor.fault import Fault, check
from osler.doctor.layer_places import way_out, where_loss
from osler.doctor.outcomes import last_accuracy
from osler.structures.finding import Finding, Remedy, Where
from osler.vitals.evidence import LossSample, LossSeen

FAULT = Fault(
    name="wrong-loss",
    category="model",
    phase="during",
    title="The loss does not fit the task",
    symptom="The loss is 0 from the start, or it falls without the answers getting better, or the network predicts averages.",
    cause=(
        "A loss says what a mistake costs. Squared distance between class numbers makes class 9 nine times as wrong as class 1; "
        "cross entropy over one column is always 0; a softmax lets only one class be right, so it cannot learn several at "
        "once; a binary loss knows only 0 and 1; and a loss whose sign is turned rewards mistakes."
    ),
    seen_by=(
        "cross entropy given one column, or rows of targets that do not add up to 1; a binary loss given targets other than 0 "
        "to 1; a squared or absolute distance to whole numbers 0, 1, 2 ... that the script calls classes; a falling loss "
        "that is a distance with a minus before it"
    ),
    remedies=(
        Remedy(
            "use the loss of the task",
            "One class of many: cross_entropy. Yes or no, or several labels: binary_cross_entropy_with_logits. Numbers: "
            "mse_loss or l1_loss.",
        ),
        Remedy("change the targets", "Give each loss its kind of target: class numbers, zeros and ones, or real numbers."),
    ),
    sources=(
        "AutoTrainer (Zhang et al. 2021) and NeuraLint (Nikanjam et al. 2021): rules on the loss and the last layer",
        "StackOverflow cases 16, 45 to 50 of the published collections; Goodfellow et al. 2016, section 6.2.2",
        "TheDeepChecker (Ben Braiek, Khomh 2022): planted fault 'flipped sign'",
    ),
)  # fmt: skip

PLUS_MINUS_LOSSES = ("soft_margin_loss", "hinge_embedding_loss")


@check(FAULT)
def look(case: Case) -> Iterator[Finding]:
    """Looks at each loss that taught and at its targets."""
    for loss in case.losses():
        samples = [s for s in loss.samples if s.moment == "train" and s.input.count]
        if not samples:
            continue
        if loss.function in CLASS_LOSSES:
            yield from _one_column(case, loss, samples)
            yield from _several_classes_under_softmax(case, loss, samples)
        elif loss.function in BINARY_LOSSES:
            yield from _no_zeros_and_ones(case, loss, samples)
            yield from _softmax_under_binary(case, loss, samples)
            yield from _one_class_of_many(case, loss, samples)
        elif loss.function in PLUS_MINUS_LOSSES:
            yield from _zeros_for_minus_one(case, loss)
        elif loss.function in REGRESSION_LOSSES:
            yield from _class_numbers(case, loss, samples)
            yield from _one_hot(case, loss, samples)
    yield from _turned_sign(case)


def _zeros_for_minus_one(case: Case, loss: LossSeen) -> Iterator[Finding]:
    """Targets 0 and 1 for a loss that wants -1 and 1."""
    if set(loss.targets) == {0.0, 1.0}:
        yield FAULT.found(
            f"{loss.function} wants the targets -1 and 1, but was given 0 and 1: where the target is 0 nothing is learnt",
            where=where_loss(case, loss),
            certainty=0.92,
            change="Use binary_cross_entropy_with_logits, or give it 2 * target - 1.",
        )


def _one_column(case: Case, loss: LossSeen, samples: list[LossSample]) -> Iterator[Finding]:
    shapes = {s.input.shape for s in samples}
    if all(len(shape) >= 2 and shape[1] == 1 for shape in shapes) and loss.function == "cross_entropy":
        told = "over one column the softmax is always 1"
    elif all(len(shape) == 1 and shape[0] > 1 for shape in shapes) and not loss.target_is_integer:
        told = "a vector of one number a sample is taken for one sample with a class for each"
    else:
        return
    way = way_out(case, loss.made_by)
    values = [s.value for s in samples]
    yield FAULT.found(
        f"{loss.function} was given one number for each of {samples[0].input.shape[0]} samples: {told}, and the loss was "
        f"{min(values):.3g} to {max(values):.3g} whatever the targets",
        where=where_loss(case, loss, way.last.layer if way else None),
        certainty=0.98,
        change="Use binary_cross_entropy_with_logits for yes or no, mse_loss for numbers; or give the network a unit for "
        "each class.",
    )


def _several_classes_under_softmax(case: Case, loss: LossSeen, samples: list[LossSample]) -> Iterator[Finding]:
    """Targets of zeros and ones with several ones in a row, under cross entropy."""
    if loss.target_is_integer or not set(loss.targets) <= {0.0, 1.0}:
        return
    ones = _ones_in_a_row(case, samples)
    if ones is not None and ones > thresholds.ONES_IN_A_ROW:
        yield FAULT.found(
            f"the targets hold {ones:.2f} ones for a sample on average, but cross_entropy takes a softmax, under which only one "
            "class can be right",
            where=where_loss(case, loss),
            certainty=0.95,
            change="Use binary_cross_entropy_with_logits, which judges each class for itself.",
        )


def _ones_in_a_row(case: Case, samples: list[LossSample]) -> float | None:
    wide = [
        s.target
        for s in samples
        if s.target is not None and len(s.target.shape) == 2 and s.target.shape == s.input.shape
    ]
    return float(np.mean([t.mean * t.shape[1] for t in wide])) if wide else None


def _no_zeros_and_ones(case: Case, loss: LossSeen, samples: list[LossSample]) -> Iterator[Finding]:
    """Class numbers or real numbers as the targets of a binary loss."""
    wanted = [s.target for s in samples if s.target is not None]
    low, high = min((t.low for t in wanted), default=0.0), max((t.high for t in wanted), default=1.0)
    if low >= -thresholds.TARGETS_ROUNDED and high <= 1 + thresholds.TARGETS_ROUNDED:
        return  # also shares that were interpolated or computed, which rounding puts a little outside
    values = sorted(loss.targets)
    whole = all(float(v).is_integer() for v in values)
    if whole and len(values) < 3:
        return  # two values that are not 0 and 1: wrong labels, not a wrong loss
    told = (
        f"the class numbers {values[0]:g} to {values[-1]:g}" if whole else f"real numbers from {low:.3g} to {high:.3g}"
    )
    yield FAULT.found(
        f"{loss.function} knows targets from 0 to 1, but was given {told}",
        where=where_loss(case, loss),
        certainty=0.94,
        change="Use cross_entropy with a unit for each class." if whole else "Use mse_loss or l1_loss for numbers.",
    )


def _softmax_under_binary(case: Case, loss: LossSeen, samples: list[LossSample]) -> Iterator[Finding]:
    way, ones = way_out(case, loss.made_by), _ones_in_a_row(case, samples)
    softmax = way is not None and any(p.operation.startswith("Softmax") for p in way.operations)
    if softmax and ones is not None and ones > thresholds.ONES_IN_A_ROW and set(loss.targets) <= {0.0, 1.0}:
        yield FAULT.found(
            f"a softmax lets the probabilities of all classes add up to 1, but the targets hold {ones:.2f} ones for a sample "
            "on average",
            where=where_loss(case, loss, way.last.layer if way else None),
            certainty=0.95,
            change="Use a sigmoid for each class in place of the softmax.",
        )


def _one_class_of_many(case: Case, loss: LossSeen, samples: list[LossSample]) -> Iterator[Finding]:
    """One-hot targets under a binary loss: works, but slowly; a fault only where it did not work."""
    wide = [s for s in samples if s.target is not None and len(s.target.shape) == 2 and s.target.shape[1] > 2]
    if len(wide) == len(samples) and set(loss.targets) == {0.0, 1.0} and _are_one_hot(wide):
        yield from _exclusive(case, loss, wide[0].input.shape[1], "judges each of them for itself", 0.62)


def _one_hot(case: Case, loss: LossSeen, samples: list[LossSample]) -> Iterator[Finding]:
    """A distance to one-hot targets."""
    wide = [s for s in samples if s.target is not None and len(s.target.shape) == 2 and s.target.shape[1] > 2]
    if len(wide) == len(samples) and set(loss.targets) == {0.0, 1.0} and _are_one_hot(wide):
        yield from _exclusive(case, loss, wide[0].input.shape[1], "hardly punishes sure mistakes", 0.62)


def _exclusive(case: Case, loss: LossSeen, classes: int, harm: str, certainty: float) -> Iterator[Finding]:
    accuracy = last_accuracy(case)
    failed = accuracy is not None and accuracy < thresholds.hardly_better(classes)
    told = f"; the last accuracy was {accuracy:.0%}" if accuracy is not None else ""
    yield FAULT.found(
        f"exactly one of {classes} classes is right for each sample, but {loss.function} {harm}{told}",
        severity="warning" if failed else "note",
        where=where_loss(case, loss),
        certainty=certainty if failed else 0.5,
        change="Use cross_entropy on the plain scores, with the class number as target.",
    )


def _are_one_hot(wide: list[LossSample]) -> bool:
    """Whether targets of zeros and ones hold exactly one 1 in a row, as their mean tells in every batch."""
    targets = [s.target for s in wide if s.target is not None]
    return bool(targets) and all(abs(t.mean * t.shape[1] - 1) < 1e-3 for t in targets)


# ---- distances to class numbers


def _class_numbers(case: Case, loss: LossSeen, samples: list[LossSample]) -> Iterator[Finding]:
    """Whole numbers 0, 1, 2 ... that stand for classes, as targets of a distance."""
    if _rebuilds(case, samples):
        return
    values = np.array(sorted(loss.targets))
    total, count = sum(loss.targets.values()), len(values)
    if not 3 <= count <= thresholds.MOST_CLASSES or total < thresholds.LABELS_PER_OUTPUT * count:
        return
    steps = np.diff(values)
    if steps.min() <= 0 or steps.max() - steps.min() > 1e-3 * steps.mean():  # class numbers may have been scaled
        return
    why = why_classes(case, loss)
    if why is None:
        return
    yield FAULT.found(
        f"the targets of {loss.function} are {_told(values)}, and {why}: the distance between class numbers means nothing, "
        "the last class is as far from the first as can be",
        where=where_loss(case, loss),
        severity="critical",
        certainty=0.9,
        change=f"Give the last layer {count} units and use cross_entropy with the class numbers.",
    )


def _rebuilds(case: Case, samples: list[LossSample]) -> bool:
    """Whether targets are rows of several numbers, or have the inputs' shape: values to rebuild, not one class a sample."""
    shapes = {s.target.shape[1:] for s in samples if s.target is not None}
    inputs = {c.inputs[0].shape[1:] for m in case.models for c in m.calls if c.inputs}
    return any((len(shape) == 1 and shape[0] > 1) or (shape and shape in inputs) for shape in shapes)


def _told(values: np.ndarray) -> str:
    if values[0] == 0 and values[-1] == len(values) - 1:
        return f"the whole numbers 0 to {len(values) - 1}"
    return f"{len(values)} evenly spaced numbers from {values[0]:.3g} to {values[-1]:.3g}"


# ---- a loss with its sign turned


def _turned_sign(case: Case) -> Iterator[Finding]:
    """The only loss of a training is the negative of a distance: it falls as the mistakes grow."""
    backwards = [b for b in case.evidence.backwards if b.values]
    taught = case.losses(*CLASS_LOSSES, *BINARY_LOSSES, *REGRESSION_LOSSES)
    if len(backwards) != 1 or len(taught) != 1 or len(case.evidence.optimizers) != 1 or len(case.models) != 1:
        return
    values = {s.step: s.value for s in taught[0].samples if s.moment == "train"}
    pairs = [(values[step + 1], value) for step, value in backwards[0].values if step + 1 in values]
    maximized = any(group.get("maximize") for group in case.evidence.optimizers[0].options)
    if len(pairs) < 5 or any(a <= 0 for a, _ in pairs):
        return
    turned = all(abs(a + b) <= 1e-3 * max(a, 1e-6) for a, b in pairs)
    if turned == maximized or not (turned or all(abs(a - b) <= 1e-3 * a for a, b in pairs)):
        return
    first, last = pairs[0][0], pairs[-1][0]
    if last > thresholds.GROWN_MISTAKES * first:
        site = backwards[0].site
        how = "its negative is what is made small" if turned else "the optimizer was told to maximise it"
        yield FAULT.found(
            f"{taught[0].function} rises from {first:.3g} to {last:.3g}: {how}, so that mistakes are rewarded",
            where=case.where(site) if turned else _optimizer(case),
            certainty=0.96,
            change="Take the minus away from the loss." if turned else "Leave out maximize=True.",
        )


def _optimizer(case: Case) -> Where:
    return case.where(case.evidence.optimizers[0].site)
