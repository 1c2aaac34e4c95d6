"""The figure that is printed does not measure what it says."""

from collections.abc import Iterator

from osler.doctor import thresholds
from osler.doctor.case import Case
from osler.doctor.fault import Fault, check
from osler.doctor.metric_reading import (
    compares_answers,
    last_batch_line,
    loss_by_samples,
    ordering_line,
    percent_wrongly,
    printed_differently,
    swapped,
)
from osler.structures.finding import Finding, Remedy
from osler.vitals.evidence import ModelSeen, Site

FAULT = Fault(
    name="wrong-metric",
    category="evaluation",
    phase="after",
    title="The metric is computed wrongly",
    symptom="The loss falls and the accuracy stands still, or is above 1, or is high from the first epoch on.",
    cause=(
        "Answers are made of outputs in a way that does not fit them: the largest of a single output is always "
        "number 0, a half "
        "is no edge for scores that are no probabilities, a sigmoid of a sigmoid always lies above a half. Or they "
        "are compared "
        "wrongly: [N, 1] with [N] compares every answer with every label, one-hot labels bit by bit are mostly zeros "
        "that agree. "
        "Or they are averaged wrongly: over the last batch only, or by the number of batches."
    ),
    seen_by=(
        "what the program did with the outputs, at its line; printed figures beside those that we computed from "
        "answers and labels"
    ),
    remedies=(
        Remedy(
            "make answers that fit",
            "One output: compare the score with 0 (or its sigmoid with 0.5). Several: `argmax(1)`, compared with "
            "labels of the same shape.",
        ),
        Remedy("count over all", "Add up right answers and samples over all batches, and divide once."),
    ),
    sources=(
        "Braiek, Khomh 2023 (TheDeepChecker): loss and metric that do not go together",
        "DeepLocalize benchmark, StackOverflow posts with accuracy of one output or per bit",
    ),
)


@check(FAULT)
def look(case: Case) -> Iterator[Finding]:
    """Looks at what was done with outputs, at how answers were compared, and at what was printed."""
    for model in case.models[:2]:
        for (done, site), count in model.applied.most_common():
            if finding := _applied(case, model, done, site, count):
                yield finding
    yield from _broadcast(case)
    yield from _loss_of_table(case)
    yield from _printed(case)


def _applied(case: Case, model: ModelSeen, done: str, site: Site, count: int) -> Finding | None:
    calls = max(1, model.call_counts["evaluate"])
    often = (count >= 2 and count >= 0.3 * calls) or calls <= 3
    operations = [p.operation for p in model.outputs_of]
    if done == "argmax of one":
        return FAULT.found(
            f"the largest is taken along an axis on which the output of {model.name} has one value only, {count:,} "
            f"times: the "
            "answer is always class 0, and the accuracy is the share of class 0",
            where=case.where(site),
            certainty=0.97,
            change="Compare the score itself: `output.squeeze(1) > 0` (or its sigmoid > 0.5).",
        )
    if done == "argmax over samples" and often:
        return FAULT.found(
            f"the largest is taken along the axis of samples of the output of {model.name}, {count:,} times: it finds "
            f"a sample "
            "for each class, not a class for each sample",
            where=case.where(site),
            certainty=0.9,
            change="Take the largest along the axis of classes: `argmax(1)`.",
        )
    if done == "sigmoid" and often and count <= calls and _ends_with(operations, "Sigmoid"):
        return FAULT.found(
            f"{model.name} ends with a sigmoid, and the evaluation applies another, {count:,} times: what comes out "
            f"lies between "
            "0.50 and 0.73, so that every score is above a half",
            where=case.where(site),
            certainty=0.95,
            change="Use the output of the network as it is: it is a probability already.",
        )
    if done in ("> 0.5", "round") and often and count <= calls:
        return _edge_on_scores(case, model, site, operations)
    if done == "eq of one-hot" and compares_answers(case, site) and ".all(" not in _text(case, site):
        return FAULT.found(
            f"answers are compared with one-hot labels bit by bit: of {_classes(model)} bits a sample nearly all are "
            f"zeros that "
            "agree, so that even useless answers score high",
            where=case.where(site),
            certainty=0.9,
            change="Compare `output.argmax(1)` with `labels.argmax(1)`.",
        )
    return None


def _edge_on_scores(case: Case, model: ModelSeen, site: Site, operations: list[str]) -> Finding | None:
    """A half as the edge of scores that the loss takes for logits."""
    if _ends_with(operations, "Sigmoid", "Softmax", "Clamp", "Hardsigmoid"):
        return None
    logits = case.losses("binary_cross_entropy_with_logits")
    outputs = [c.output for c in model.calls if c.moment == "evaluate" and c.output is not None]
    beyond = any(o.low < 0 or o.high > 1 for o in outputs)
    if not logits or not beyond:
        return None
    return FAULT.found(
        f"the outputs of {model.name} go from {min(o.low for o in outputs):.2g} to {max(o.high for o in outputs):.2g} "
        f"(scores, of "
        f"which the loss takes the sigmoid), and count as positive from 0.5 on: that is a probability of 0.62",
        where=case.where(site),
        certainty=0.85,
        change="Compare the scores with 0, or their sigmoid with 0.5.",
    )


def _ends_with(operations: list[str], *names: str) -> bool:
    """Whether the last operation of a network, apart from changes of shape, is one of these."""
    shapes = (
        "Squeeze",
        "View",
        "Unsqueeze",
        "Reshape",
        "Select",
        "Slice",
        "Alias",
        "Unsafe",
        "ToCopy",
        "Permute",
        "Transpose",
    )
    first = next((o for o in operations if not o.startswith(shapes)), "")
    return first.startswith(names)


def _broadcast(case: Case) -> Iterator[Finding]:
    """Answers of one shape compared with labels of another: a table of all with all."""
    learning = {frozenset(seen.shapes) for seen in case.evidence.broadcasts if seen.learns}
    for seen in case.evidence.broadcasts:
        if seen.learns or seen.site is None or frozenset(seen.shapes) in learning:
            continue
        if _is_table(*seen.shapes) and compares_answers(case, seen.site):
            count = max(seen.shapes[0][0], 1)
            yield FAULT.found(
                f"answers and labels of shapes {list(seen.shapes[0])} and {list(seen.shapes[1])} are compared: that "
                f"makes "
                f"{count**2:,} comparisons of every answer with every label in place of {count:,}",
                where=case.where(seen.site),
                certainty=0.96,
                change="Give both the same shape first: `output.squeeze(1)`, or `labels.view_as(output)`.",
            )
            return


def _loss_of_table(case: Case) -> Iterator[Finding]:
    """A loss of evaluation that is given [N, 1] and [N], while training is not."""
    for loss in case.evidence.losses:
        shapes = [
            (s.input.shape, s.target.shape) for s in loss.samples if s.moment == "evaluate" and s.target is not None
        ]
        table = next((pair for pair in shapes if _is_table(*pair)), None)
        if table is not None and not loss.counts["train"] and loss.site is not None:
            yield FAULT.found(
                f"{loss.function} is given outputs and targets of shapes {list(table[0])} and {list(table[1])} in the "
                f"evaluation: "
                "every output is compared with every target",
                where=case.where(loss.site),
                certainty=0.95,
                change="Give both the same shape first: `output.squeeze(1)`, or `target.view_as(output)`.",
            )
            return


def _is_table(a: tuple[int, ...], b: tuple[int, ...]) -> bool:
    longer, shorter = sorted((a, b), key=len, reverse=True)
    return len(longer) == 2 and len(shorter) == 1 and longer[1] == 1 and longer[0] == shorter[0] > 1


def _printed(case: Case) -> Iterator[Finding]:
    wrong = percent_wrongly(case)
    if wrong is not None:
        text, line, certainty = wrong
        yield FAULT.found(text, where=case.line(line), certainty=certainty)
        return
    for model in case.models[:1]:
        crossed, by_samples = swapped(case, model), loss_by_samples(case, model)
        if crossed is not None:
            change = (
                "Take what is rightly called positive by all that is called so (precision), by all that is (recall)."
            )
            yield FAULT.found(crossed[0], where=case.line(crossed[1]), certainty=0.9, change=change)
        if by_samples is not None:
            yield FAULT.found(by_samples, severity="note", certainty=0.5, change="Divide by the number of batches.")
        differing = printed_differently(case, model)
        if differing is not None:
            line = last_batch_line(case, differing) if differing.last_batch else ordering_line(case, model)
            yield FAULT.found(
                differing.text,
                severity="critical" if differing.certainty >= thresholds.SURE_OF_METRIC else "warning",
                where=case.line(line),
                certainty=differing.certainty,
                change="Add up right answers and samples over all batches, and divide once at the end.",
            )


def _classes(model: ModelSeen) -> int:
    return next((c.output.shape[1] for c in model.calls if c.output is not None and len(c.output.shape) > 1), 0)


def _text(case: Case, site: Site) -> str:
    lines = case.script.lines
    return lines[site.line - 1] if 0 < site.line <= len(lines) else ""
