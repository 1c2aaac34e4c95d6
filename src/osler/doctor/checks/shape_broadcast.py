"""Outputs and targets of different shapes that broadcast to a table of all pairs."""

from collections.abc import Iterator

from osler.doctor.case import Case
from osler.doctor.fault import Fault, check
from osler.doctor.metric_reading import compares_answers
from osler.structures.finding import Finding, Remedy
from osler.vitals.evidence import Broadcast

FAULT = Fault(
    name="shape-broadcast",
    category="model",
    phase="during",
    title="Output and target have different shapes that broadcast",
    symptom="The loss falls to the variance of the targets and stays; the network answers the mean for everything.",
    cause=(
        "An output of shape (N, 1) and a target of shape (N) broadcast to (N, N): every answer is compared with every target, so "
        "that the best answer is their mean."
    ),
    seen_by=(
        "a loss was given, or a difference, product or comparison outside of the network was made of, one "
        "tensor of shape (N, 1) and "
        "another of shape (N), of which one is learnt and the other is not"
    ),
    remedies=(
        Remedy("one shape", "Give both the same shape: squeeze the output's last axis, or unsqueeze the target."),
        Remedy("view as the output", "Use target.view_as(output) where the loss is computed."),
    ),
    sources=(
        "StackOverflow case 106 of the published collections",
        "PyTorch documentation, MSELoss: warning on different sizes",
    ),
)

ELEMENTWISE = (
    "mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "binary_cross_entropy", "binary_cross_entropy_with_logits",
    "poisson_nll_loss", "gaussian_nll_loss", "soft_margin_loss",
)  # fmt: skip
DONE = {"sub": "difference", "mul": "product", "eq": "comparison"}


@check(FAULT)
def look(case: Case) -> Iterator[Finding]:
    """Looks at the shapes that losses, differences, products and comparisons were given."""
    told = False
    for loss in case.losses(*ELEMENTWISE):
        samples = [s for s in loss.samples if s.target is not None and s.moment == "train"]
        wrong = [s for s in samples if s.target is not None and makes_table(s.input.shape, s.target.shape)]
        if wrong and wrong[0].target is not None and len(wrong) >= len(samples) / 2:
            told = True
            output, target = wrong[0].input.shape, wrong[0].target.shape
            yield FAULT.found(
                f"{loss.function} was given an output of shape {output} and a target of shape {target} at "
                f"{len(wrong)} of {len(samples)} "
                f"calls looked at: it compares each of {output[0]} outputs with each of "
                f"{target[-1] if target[0] == 1 else target[0]} targets",
                where=case.where(loss.site),
                certainty=0.98,
                change=_change(output, target),
            )
    if told:
        return
    learnt = [b for b in case.evidence.broadcasts if _meant_by_sample(case, b)]
    for broadcast in (learnt or [b for b in case.evidence.broadcasts if _compares(case, b)])[:1]:
        first, second = broadcast.shapes
        outcome = "the loss is computed from it" if learnt else "what is told of it is no figure of these samples"
        yield FAULT.found(
            f"a {DONE[broadcast.operation]} of shapes {first} and {second} makes a table of all {first[0]} by "
            f"{second[-1]} pairs, and {outcome}",
            where=case.where(broadcast.site),
            certainty=0.96 if learnt else 0.9,
            change=_change(first, second),
        )


def makes_table(first: tuple[int, ...], second: tuple[int, ...]) -> bool:
    """Whether one is (N, 1) and the other (N), or (1, N)."""
    pairs = ((first, second), (second, first))
    return any(len(a) == 2 and a[1] == 1 and a[0] > 1 and b in ((a[0],), (1, a[0])) for a, b in pairs)


def _meant_by_sample(case: Case, seen: Broadcast) -> bool:
    """A table of outputs and targets. Where both sides are learnt, or both are one tensor, or the line makes the axes that
    a table needs, all pairs are meant."""
    if seen.operation not in ("sub", "mul") or not seen.learns or sum(seen.sides) != 1 or seen.same:
        return False
    first, second = seen.shapes
    one_axis_each = len(first) + len(second) == 3  # (N, 1) and (N); a person wrote the axis of (1, N)
    line = case.script.lines[seen.site.line - 1] if seen.site and 0 < seen.site.line <= len(case.script.lines) else ""
    return (
        one_axis_each
        and makes_table(first, second)
        and not any(word in line for word in ("None", ".T", ".t()", "cdist"))
    )


def _compares(case: Case, seen: Broadcast) -> bool:
    """A table of answers and labels; labels compared with themselves tell which samples are of one class."""
    if seen.learns or seen.same or seen.site is None or not makes_table(*seen.shapes):
        return False
    return seen.operation in ("eq", "sub") and compares_answers(case, seen.site)


def _change(first: tuple[int, ...], second: tuple[int, ...]) -> str:
    if len(first) == 2 and first[-1] == 1:
        return f"Take the output's last axis away with squeeze(1), so that both have shape ({first[0]},)."
    return f"Give both the shape {max(first, second, key=len)}, with unsqueeze(1) or squeeze(1)."
