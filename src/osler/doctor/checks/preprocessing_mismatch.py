"""Training and evaluation samples do not go the same way."""

from collections.abc import Iterator

from osler.doctor import thresholds
from osler.doctor.case import Case
from osler.doctor.data_lines import assigns, calls_any, converts, line_of, nearest, scales
from osler.doctor.fault import Fault, NotSeen, check
from osler.doctor.provenance import Step
from osler.doctor.shift import Shift, shift
from osler.structures.finding import Finding, Remedy, Where
from osler.vitals.evidence import ModelSeen

FAULT = Fault(
    name="preprocessing-mismatch",
    category="data",
    phase="before",
    title="Training and validation are preprocessed differently",
    symptom="Training accuracy is high and held-out accuracy poor from the first epoch on.",
    cause=(
        "One side is scaled, the other is not; one is read as RGB and the other as BGR; the test set is standardised by other "
        "numbers. The network meets inputs at evaluation that it has never seen."
    ),
    seen_by=(
        "class by class, values of held-out samples have other means than training values, by over 0.15 of a squared spread beyond "
        "sampling error (1 where training is augmented), and accuracy on them is lower by 10 points"
    ),
    remedies=(
        Remedy("share the preprocessing", "Use one function, fitted on the training data alone, for both sides."),
        Remedy("compare the batches", "Print mean and spread by channel of a training and of an evaluation batch."),
    ),
    sources=(
        "deepchecks, image property and dataset drift",
        "Karpathy 2019, A Recipe for Training Neural Networks: visualise what enters the net",
    ),
)


@check(FAULT)
def look(case: Case) -> Iterator[Finding]:
    """Compares class means of the values of training and held-out samples, and of their channels put in other orders."""
    model = case.models[0]
    data = case.data(model)
    found = shift(data)
    if found is None:
        raise NotSeen("too few inputs of numbers were seen on both sides")
    augmented = not data.covered
    limit = thresholds.SHIFT_AUGMENTED if augmented else thresholds.SHIFT
    swapped = found.order is not None
    if not (swapped and found.distance > thresholds.SHIFT / 3) and found.distance < limit:
        return
    worse = _worse(case, model)
    yield FAULT.found(
        f"{_said(found)}; {worse or 'the answers have not suffered, as far as it was seen'}",
        severity="critical" if worse else "note",
        where=_place(case, model),
        certainty=0.93 if swapped or found.distance > 4 * limit else 0.82,
    )


def _said(found: Shift) -> str:
    ranges = (
        f"training values have mean {found.means[0]:.3g} and spread {found.spreads[0]:.3g}, "
        f"held-out values {found.means[1]:.3g} and {found.spreads[1]:.3g}"
    )
    if found.order is not None:
        order = ", ".join(str(k) for k in found.order)
        return f"held-out samples fit the training samples only with their channels in the order {order} (as BGR for RGB): {ranges}"
    return (
        f"class by class, held-out samples lie {found.distance:.2g} squared spreads from the training samples, "
        f"where one way of preprocessing gives under {thresholds.SHIFT / 3:.2g}: {ranges}"
    )


def _worse(case: Case, model: ModelSeen) -> str | None:
    """In words how much worse the network does on held-out samples."""
    passes = [a for a in case.evaluations(model) if a.judged >= 20]
    trained = case.training_evaluations(model)
    last = next((a for a in reversed(trained) if a.judged >= 20), None) or model.last_training
    if passes and last is not None and last.judged >= 20:
        if last.accuracy - passes[-1].accuracy < thresholds.SHIFT_GAP:
            return None
        return f"accuracy is {last.accuracy:.0%} on training and {passes[-1].accuracy:.0%} on held-out samples"
    errors = [a for a in case.evaluations(model) if a.errors]
    if errors and last is not None and last.errors:
        ratio = sum(errors[-1].errors) / len(errors[-1].errors) / max(sum(last.errors) / len(last.errors), 1e-12)
        return f"the error is {ratio:.2g} times that on training samples" if ratio > 1.5 else None
    return None


def _place(case: Case, model: ModelSeen) -> Where:
    """The nearest step that only evaluation inputs go through and that changes values; else that only training inputs do."""
    inputs, others = case.lines.inputs(model), case.lines.held_out_inputs(model)
    mine, theirs = {id(s.node) for s in inputs}, {id(s.node) for s in others}
    only = [s for s in others if id(s.node) not in mine]
    rest = [s for s in inputs if id(s.node) not in theirs]
    changing = calls_any(
        "imread", "imdecode", "open", "permute", "transpose", "flip", "cvtColor", "resize", "fit_transform"
    )
    step = nearest(only, scales, changing, converts) or nearest(rest, scales, changing) or _last(only) or _last(others)
    return case.line(line_of(step))


def _last(steps: list[Step]) -> Step | None:
    return nearest(steps, assigns, calls_any("DataLoader"))
