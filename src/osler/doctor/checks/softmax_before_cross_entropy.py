"""Probabilities, not scores, reach a loss that makes probabilities itself."""

from collections.abc import Iterator

from osler.doctor import thresholds
from osler.doctor.case import Case
from osler.doctor.fault import Fault, check
from osler.structures.finding import Finding, Remedy

FAULT = Fault(
    name="softmax-before-cross-entropy",
    category="model",
    phase="during",
    title="Softmax or sigmoid before a loss that applies it itself",
    symptom="Training is slow, and the loss stops well above zero: with ten classes it cannot fall below 1.46.",
    cause=(
        "Cross entropy takes the logarithm of the softmax of what it is given. Numbers between 0 and 1 are nearly alike to "
        "it, so that even a perfect answer looks unsure, and gradients are small. The same holds for a sigmoid before "
        "binary cross entropy with logits."
    ),
    seen_by="all rows given to the loss sum to 1 within 1e-4 and none is negative, or a sigmoid made what a logits loss was given",
    remedies=(
        Remedy(
            "remove the softmax",
            "Return the scores from the network, and take the softmax only where probabilities are read.",
        ),
        Remedy("change the loss", "Keep the softmax, take its logarithm, and use nll_loss instead."),
    ),
    sources=(
        "PyTorch documentation, CrossEntropyLoss: the input holds unnormalised scores",
        "Schoop, Huang, Hartmann 2021 (UMLAUT), heuristic on softmax and from_logits",
    ),
)


@check(FAULT)
def look(case: Case) -> Iterator[Finding]:
    """Looks at what the training calls of the logits losses were given."""
    for loss in case.losses("cross_entropy"):
        rows = [s for s in loss.samples if s.row_sums is not None and s.moment == "train" and s.input.shape[1] > 1]
        if not rows or any(s.input.bad for s in rows):
            continue
        low, high = min(s.row_sums[0] for s in rows if s.row_sums), max(s.row_sums[1] for s in rows if s.row_sums)
        if max(abs(low - 1), abs(high - 1)) > thresholds.ROW_SUM or min(s.row_low for s in rows) < 0:
            continue
        maker = next((p for p in loss.made_by if p.operation.startswith("Softmax")), None)
        classes = rows[0].input.shape[1]
        floor = thresholds.probability_floor(classes)
        seen = sum(s.input.shape[0] for s in rows)
        yield FAULT.found(
            f"what cross_entropy was given sums to 1 in all of {seen:,} rows looked at, and none is negative: these are "
            f"probabilities; with {classes} classes the loss cannot fall below {floor:.3f}",
            where=case.where(maker.site if maker else loss.site, maker.layer if maker else None),
            certainty=0.99,
        )
    for loss in case.losses("binary_cross_entropy_with_logits"):
        maker = next((p for p in loss.made_by if p.operation.startswith("Sigmoid")), None)
        if maker is not None:
            yield FAULT.found(
                "a sigmoid makes what binary_cross_entropy_with_logits is given, and that loss applies the sigmoid itself",
                where=case.where(maker.site or loss.site, maker.layer),
                certainty=0.99,
                change="Remove the sigmoid, or use binary_cross_entropy without logits.",
            )
