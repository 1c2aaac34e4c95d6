"""Evaluation samples, or near copies of them, are trained on."""

import ast
import re
from collections.abc import Iterator

from osler.doctor import thresholds
from osler.doctor.case import Case
from osler.doctor.copy_lines import copies_before_split, splits
from osler.doctor.data_lines import assigns, calls_any, line_of, nearest
from osler.doctor.fault import Fault, NotSeen, check
from osler.doctor.provenance import Step
from osler.doctor.twins import Twins, twins
from osler.structures.finding import Finding, Remedy, Where
from osler.vitals.evidence import Answers, ModelSeen

FAULT = Fault(
    name="train-test-leak",
    category="data",
    phase="before",
    title="Test samples are also in the training set",
    symptom="Held-out accuracy is as good as training accuracy, and then disappoints on new data.",
    cause=(
        "The split came after copying: oversampling, noisy or mirrored copies, frames of one film, or index ranges that overlap. "
        "What is evaluated has been learnt by heart, so the figure says nothing about new samples."
    ),
    seen_by=(
        "over 3 % of a held-out pass equal training samples value for value, or a quarter of the held-out samples lie so near to a "
        "few training samples that the gap behind these does not fit one distribution"
    ),
    remedies=(
        Remedy("split first", "Split the originals, and only then enlarge, oversample or augment the training part."),
        Remedy("split by group", "Keep all copies, frames or patients of one origin on one side (GroupShuffleSplit)."),
    ),
    sources=(
        "Kaufman, Rosset, Perlich 2012, Leakage in Data Mining",
        "Levina and Bickel 2005: how neighbour distances grow in a distribution",
        "the doctor's own calibration of the gap",
    ),
)
NAMED_HELD_OUT = re.compile(
    r"(^|[^a-z])(x|y|data|img|images)?_?(te|tst|test|testing|va|val|vali|valid|validation|held|holdout|heldout|dev|eval|unseen)($|[^a-z])",
    re.I,
)
KEYS_KEPT = 16_384  # training samples that the recorder knows again


@check(FAULT)
def look(case: Case) -> Iterator[Finding]:
    """Compares evaluation samples with training samples."""
    model = case.models[0]
    if not model.answers:
        raise NotSeen("the network was never evaluated")
    exact = _exact(case, model)
    if exact is not None:
        yield exact
        return
    data = case.data(model)
    seen = twins(data)
    place = _place(case, model)
    if seen is not None and seen.share >= thresholds.TWIN_SHARE and not _evaluates_training(case, model, seen):
        kind = "a mirrored copy" if seen.mirrored else "a near copy"
        yield FAULT.found(
            f"{seen.share:.0%} of {seen.asked} held-out samples have {kind} among the training samples "
            f"({seen.copies} in the median, "
            f"at a distance of up to {seen.near:.3g}), while the next sample is {seen.far:.3g} away: "
            f"different samples lie no such gap apart",
            where=place,
            certainty=0.9,
        )
        return
    step = copies_before_split(case.lines.inputs(model), case.lines.held_out_inputs(model), case.lines.flow)
    if step is not None:
        unseen = seen is None or (not data.whole and len(data.shape) == 3)  # mirrored pictures cannot be told by picks
        yield FAULT.found(
            f"line {step.line} adds altered copies of the samples before they are split, so that copies of "
            f"one sample come to both sides",
            where=case.line(step.line),
            severity="warning" if unseen or (seen is not None and seen.share > 0.1) else "note",
            certainty=0.75,
        )


def _evaluates_training(case: Case, model: ModelSeen, seen: Twins) -> bool:
    """Whether the samples with twins are the training set itself, without the augmentation, the noise or the attack.

    Then it is either called by the training set's name or read from the same variable, or another pass has no twins at all.
    """
    if seen.sets == 2:
        return True
    passes = case.evaluations(model)
    sites = {a.site for a in passes if a.site is not None}
    trained = case.lines.inputs(model)
    known = {id(s.node) for s in trained}
    for site in sites:
        one = next(a for a in passes if a.site == site)
        steps = case.lines.inputs_at(model, site)
        own = [s for s in steps if s.depth and id(s.node) not in known]
        parted = own or not steps or any(splits(s) or _slices(s) or NAMED_HELD_OUT.search(s.text) for s in steps)
        if parted and not _training_name(case, model, one):
            return False
    return bool(sites)


def _slices(step: Step) -> bool:
    """Whether a step takes a range of something."""
    return any(isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Slice) for node in ast.walk(step.node))


def _exact(case: Case, model: ModelSeen) -> Finding | None:
    """The last passes: samples met before, value for value."""
    data = case.data(model)
    if not len(data.evaluate) or data.evaluate.rich.mean() < 0.5 or data.counts or not _all_known(case, model):
        return None
    last = [a for a in model.answers if a.compared >= 20 and a.step >= 0.5 * model.answers[-1].step]
    partial = [
        a for a in last if thresholds.LEAK_SHARE < a.known / a.compared < 0.97 and a.known >= thresholds.LEAK_SAMPLES
    ]
    partial = [a for a in partial if not _training_name(case, model, a)]
    honest = [a for a in last if a.known / a.compared <= thresholds.LEAK_SHARE]
    whole = [a for a in last if a.known / a.compared >= 0.97 and _held_out_name(case, model, a)]
    found = partial or (whole if not honest else [])
    if not found:
        return None
    one = found[-1]
    return FAULT.found(
        f"{one.known:,} of {one.compared:,} evaluation samples compared ({one.known / one.compared:.0%}) were "
        f"trained on, value for value",
        where=_place(case, model),
        certainty=0.95,
    )


def _all_known(case: Case, model: ModelSeen) -> bool:
    """Whether the recorder can know all training samples again."""
    if case.data(model).covered:
        return True
    sizes = [x.samples for x in case.evidence.loaders if x.used_for["train"] and x.samples]
    seen = model.call_counts["train"] * max(1, len(case.data(model).train) // max(1, len(model.train.picks)))
    return seen <= KEYS_KEPT or (bool(sizes) and max(sizes) <= KEYS_KEPT)


def _base(expression: str | None) -> str | None:
    """The variable in an expression: `X_train` of `X_train[idx].float()`."""
    if expression is None:
        return None
    return next((n.id for n in ast.walk(ast.parse(expression)) if isinstance(n, ast.Name)), None)


def _expression(case: Case, model: ModelSeen, one: Answers) -> str | None:
    """What the network is given in a pass; where a line calls it several times, by the order of the passes."""
    given = case.lines.expressions_at(model, one.site)
    passes = [a for a in model.answers if a.step == one.step and a.site == one.site]
    if len(given) > 1 and len(given) == len(passes):
        return next(text for text, a in zip(given, passes, strict=True) if a is one)
    return case.lines.expression_at(model, one.site)


def _training_name(case: Case, model: ModelSeen, one: Answers) -> bool:
    """Whether what is evaluated bears the name of what is trained on."""
    mine = _base(_expression(case, model, one))
    trained = {_base(e) for e in case.lines.input_names(model)}
    return mine is not None and (mine in trained or "train" in mine.lower()) and not NAMED_HELD_OUT.search(mine)


def _held_out_name(case: Case, model: ModelSeen, one: Answers) -> bool:
    """Whether the script calls what is evaluated a test or validation set, near the call."""
    steps = [s for s in case.lines.inputs_at(model, one.site) if s.depth <= 2]
    names = [_base(case.lines.expression_at(model, one.site)) or ""]
    names += [n.id for s in steps for n in ast.walk(s.node) if isinstance(n, ast.Name)]
    return any(NAMED_HELD_OUT.search(n) for n in names) and not any("train" in n.lower() for n in names[:1])


def _place(case: Case, model: ModelSeen) -> Where:
    """Where copies are made or the split is, common to both ways; else where the evaluation data are made."""
    inputs, others = case.lines.inputs(model), case.lines.held_out_inputs(model)
    step: Step | None = copies_before_split(inputs, others, case.lines.flow)
    common = {id(s.node) for s in inputs}
    shared = [s for s in others if id(s.node) in common]
    step = (
        step
        or nearest(shared, splits)
        or nearest(others, splits, calls_any("concatenate", "cat", "repeat", "tile", "resample"), assigns)
    )
    return case.line(line_of(step))
