"""Plain scores reach a loss that takes probabilities or their logarithms."""

import math
import re
from collections.abc import Iterator

from osler.doctor import thresholds
from osler.doctor.case import Case
from osler.doctor.fault import Fault, check
from osler.doctor.layer_places import way_out, where_loss
from osler.doctor.loss_graph import PARTS, RESHAPING, LossGraph, is_one_of
from osler.structures.finding import Finding, Remedy, Where
from osler.vitals.evidence import LossSample, LossSeen, Site

FAULT = Fault(
    name="logits-into-probability-loss",
    category="model",
    phase="during",
    title="Logits reach a loss that expects probabilities",
    symptom="The loss is negative and falls without end, or it is not a number, or it refuses its input as not between 0 and 1.",
    cause=(
        "nll_loss and kl_div take logarithms of probabilities, binary_cross_entropy takes probabilities; they do not normalise. "
        "Given plain scores, nll_loss only pushes up the score of the right class without the others having to give way, "
        "and binary_cross_entropy is not defined."
    ),
    seen_by=(
        "nll_loss, kl_div or ctc_loss was given positive numbers (no logarithm of a probability is), or numbers that "
        "come straight from a softmax without logarithm; binary_cross_entropy was given numbers outside of 0 to 1, or "
        "scores that were cut to it"
    ),
    remedies=(
        Remedy(
            "use the loss for scores",
            "Use cross_entropy in place of nll_loss, binary_cross_entropy_with_logits in place of binary_cross_entropy.",
        ),
        Remedy("normalise before the loss", "Or take log_softmax before nll_loss, sigmoid before binary_cross_entropy."),
    ),
    sources=(
        "PyTorch documentation: NLLLoss (log-probabilities), BCELoss (probabilities), KLDivLoss (input in log-space)",
        "NeuraLint (Nikanjam et al. 2021), rule on the loss and the last activation; StackOverflow cases 25 and 59",
    ),
)  # fmt: skip


@check(FAULT)
def look(case: Case) -> Iterator[Finding]:
    """Looks at what the losses of probabilities were given, and whether one refused it."""
    for loss in case.losses("nll_loss", "kl_div", "ctc_loss"):
        yield from _log_probabilities(case, loss)
    for loss in case.losses("binary_cross_entropy"):
        yield from _probabilities(case, loss)
    yield from _logarithm_of_scores(case)
    yield from _picked_scores(case)


def _logarithm_of_scores(case: Case) -> Iterator[Finding]:
    """A loss that the program writes out takes the logarithm of a layer's plain output, and is not a number."""
    for backward, graph in zip([b for b in case.evidence.backwards if b.graph], case.loss_graphs, strict=True):
        bad = sum(not math.isfinite(value) for _, value in backward.values)
        for place, node in enumerate(graph.nodes if bad else ()):
            if not is_one_of(node.operation, ("Log", "Log1P")):
                continue
            layer = _plain_layer(graph, place)
            if layer is not None:
                yield FAULT.found(
                    f"the loss takes the logarithm of what {layer or 'the last layer'} gives, which is no probability: it was "
                    f"not a finite number at {bad:,} of {len(backward.values):,} steps",
                    where=_logarithm_line(case, backward.site, layer),
                    certainty=0.93,
                    change="Use binary_cross_entropy_with_logits or cross_entropy on the plain scores.",
                )
                return


def _picked_scores(case: Case) -> Iterator[Finding]:
    """The negative mean of the right classes' plain scores: nll_loss written out, without the logarithm of a softmax."""
    for backward, graph in zip([b for b in case.evidence.backwards if b.graph], case.loss_graphs, strict=True):
        values = [value for _, value in backward.values]
        if len(values) < 2 or not values[-1] < min(values[0], 0.0):
            continue
        place, names = 0, []
        while place not in graph.weighted and len(graph.nodes) and len(read := graph.data(place)) <= 1:
            names.append(graph.nodes[place].operation.partition("Backward")[0])
            if not read:
                break
            place = read[0]
        picked = {"Index", "Gather", "TakeAlongDim"} & set(names)
        if (
            place in graph.weighted
            and picked
            and set(names) <= {"Neg", "Mean", "Sum", "Div", "Squeeze", "View", *picked}
        ):
            layer = graph.weighted[place].layer
            yield FAULT.found(
                f"the loss is the negative of the right class's plain score from {layer or 'the last layer'}: no other score "
                f"has to give way, and it fell from {values[0]:.3g} to {values[-1]:.3g}",
                where=_picking_line(case, backward.site, layer),
                certainty=0.9,
                change="Take log_softmax of the scores before picking, or use cross_entropy.",
            )
            return


def _picking_line(case: Case, site: Site | None, layer: str) -> Where:
    picks = [n for n, line in enumerate(case.script.lines, 1) if re.search(r"-.*\[.*range.*\]|\.gather\(", line)]
    return case.line(picks[0], layer or None) if picks else case.where(site, layer or None)


def _plain_layer(graph: LossGraph, place: int) -> str | None:
    """The layer whose plain output an operation reads; None where something stands between."""
    while len(read := graph.data(place)) == 1:
        place = read[0]
        if place in graph.weighted:
            return graph.weighted[place].layer
        if not is_one_of(
            graph.nodes[place].operation, (*RESHAPING, *PARTS, "Rsub", "Sub", "Add", "Neg", "Gather", "Index")
        ):
            return None
    return None


def _logarithm_line(case: Case, site: Site | None, layer: str) -> Where:
    lines = [c.line for c in case.script.calls_of("log", "log1p")]
    return case.line(lines[0], layer or None) if lines else case.where(site, layer or None)


def _given(loss: LossSeen) -> list[LossSample]:
    samples = [s for s in loss.samples if s.moment == "train" and s.input.count and not s.input.bad]
    return samples[: thresholds.FIRST_LOSSES]  # later ones may have been driven anywhere


def _log_probabilities(case: Case, loss: LossSeen) -> Iterator[Finding]:
    given = _given(loss)
    high = max((s.input.high for s in given), default=-1.0)
    if high <= thresholds.LOG_PROBABILITY:
        return
    way = way_out(case, loss.made_by)
    softmax = (
        way is not None and bool(way.operations) and way.operations[0].operation.startswith(("Softmax", "Sigmoid"))
    )
    ends = [s.value for s in loss.samples if s.moment == "train"]
    told = "probabilities without their logarithm" if softmax else "plain scores"
    yield FAULT.found(
        f"{loss.function} takes logarithms of probabilities, which are never above 0, but was given values up to {high:.3g}: "
        f"{told}; the loss went from {ends[0]:.3g} to {ends[-1]:.3g}",
        where=where_loss(case, loss, way.last.layer if way else None),
        certainty=0.97,
        change="Take log_softmax of the scores before the loss"
        + (", or use cross_entropy, which does so itself." if loss.function == "nll_loss" else "."),
    )


def _probabilities(case: Case, loss: LossSeen) -> Iterator[Finding]:
    way = way_out(case, loss.made_by)
    squashed = way is None or any(
        not p.operation.startswith(("Clamp", "Slice", "Select", "Index")) for p in way.operations
    )
    given = _given(loss)
    low, high = min((s.input.low for s in given), default=0.0), max((s.input.high for s in given), default=1.0)
    if low < 0 or high > 1:
        told = f"was given values from {low:.3g} to {high:.3g}"
    elif not squashed and given:
        told = "was given plain scores of the last layer" + (", cut off at 0 and 1" if way and way.operations else "")
    else:
        return
    yield FAULT.found(
        f"binary_cross_entropy takes probabilities between 0 and 1, but {told}",
        where=where_loss(case, loss, way.last.layer if way else None),
        certainty=0.95,
        change="Use binary_cross_entropy_with_logits on the plain scores, or put a sigmoid after the last layer.",
    )
