"""Some classes are so rare in training that the network leaves them out."""

from collections.abc import Iterator

from osler.doctor import thresholds
from osler.doctor.case import BINARY_LOSSES, CLASS_LOSSES, Case
from osler.doctor.data_lines import calls_any, line_of, nearest
from osler.doctor.fault import Fault, NotSeen, check
from osler.doctor.region_losses import judges_regions
from osler.structures.finding import Finding, Remedy, Where
from osler.vitals.evidence import Answers, LossSeen

FAULT = Fault(
    name="class-imbalance",
    category="data",
    phase="before",
    title="Classes are imbalanced",
    symptom="Accuracy looks fine, but samples of the rare class are nearly all taken for the common one.",
    cause=(
        "The loss counts samples, not classes. Where one class stands for nearly all of them, answering it everywhere is a good "
        "minimum, and the few others weigh too little to move the network away from it."
    ),
    seen_by=(
        "in the batches trained on, the commonest class is at least 10 times as frequent as the rarest, the loss has no weights, "
        "and in evaluation the rare class's recall is under 0.6 and far below the common one's"
    ),
    remedies=(
        Remedy(
            "balance what is drawn",
            "Give the loader a WeightedRandomSampler with weights of one over the class counts.",
        ),
        Remedy("weight the loss", "Pass weight (for a binary loss pos_weight) of one over the class frequencies."),
        Remedy("move the threshold", "Choose the threshold of the rare class on validation data."),
    ),
    sources=(
        "He and Garcia 2009, Learning from Imbalanced Data, sections 3.1 and 3.2",
        "Amazon SageMaker Debugger, rule ClassImbalance: 10 to 1",
        "the doctor's own calibration of the recalls",
    ),
)


@check(FAULT)
def look(case: Case) -> Iterator[Finding]:
    """Compares class counts in training with the recalls of the last evaluation."""
    losses = [x for x in case.losses(*CLASS_LOSSES, *BINARY_LOSSES) if _of_classes(x)]
    if not losses:
        raise NotSeen("no loss for classes was seen")
    loss = losses[0]
    counts = {int(k): n for k, n in loss.targets.items() if k != loss.options.get("ignore_index", -100)}
    if len(counts) < 2 or _weighted(loss) or judges_regions(case, loss):
        return
    common, rare = max(counts, key=lambda k: counts[k]), min(counts, key=lambda k: counts[k])
    ratio = counts[common] / counts[rare]
    if ratio < thresholds.IMBALANCE:
        return
    answers = [a for m in case.models for a in case.evaluations(m) if a.judged >= 30]
    answers = answers or [
        a for m in case.models for a in (*case.training_evaluations(m), m.last_training) if a and a.judged >= 30
    ]
    said = f"in training, class {common} is {ratio:.0f} times as frequent as class {rare} ({counts[common]:,} to {counts[rare]:,})"
    where = _place(case, loss)
    if not answers:
        yield FAULT.found(said + "; no evaluation was seen by class", severity="note", where=where, certainty=0.5)
        return
    recalls = _recalls(answers[-1])
    if rare not in recalls or common not in recalls:
        yield FAULT.found(said, severity="note", where=where, certainty=0.5)
        return
    bad = recalls[rare] < thresholds.RARE_RECALL and recalls[common] - recalls[rare] > thresholds.RECALL_GAP
    yield FAULT.found(
        f"{said}; in the last evaluation {recalls[rare]:.0%} of class {rare} and {recalls[common]:.0%} of class {common} "
        "were recognised",
        severity="critical" if bad else "note",
        where=where,
        certainty=0.9 if bad else 0.4,
    )


def _of_classes(loss: LossSeen) -> bool:
    """One label a sample: class numbers, or 0 and 1 of one output."""
    shapes = [s.target.shape for s in loss.samples if s.target is not None and s.moment == "train"]
    if not shapes or len(shapes[0]) > 2 or (len(shapes[0]) == 2 and shapes[0][1] != 1):
        return False
    whole = loss.target_is_integer or set(loss.targets) <= {0.0, 1.0}
    return whole and len(loss.targets) <= 200


def _weighted(loss: LossSeen) -> bool:
    given = [loss.options.get(name) for name in ("weight", "pos_weight")]
    return any(isinstance(w, tuple) and len(w) for w in given) or loss.options.get("reduction") == "none"


def _recalls(answers: Answers) -> dict[int, float]:
    return {k: answers.confusion.get((k, k), 0) / n for k, n in answers.labelled.items() if n >= 5}


def _place(case: Case, loss: LossSeen) -> Where:
    """The training loader; without one the line at which the loss was made, or the data."""
    loaders = [x for x in case.evidence.loaders if x.used_for["train"] and x.site is not None]
    if loaders:
        return case.where(max(loaders, key=lambda x: x.used_for["train"]).site)
    makers = case.script.calls_of("CrossEntropyLoss", "BCEWithLogitsLoss", "BCELoss", "NLLLoss")
    if makers:
        return case.line(makers[0].line)
    step = nearest(case.lines.targets(loss), calls_any("concatenate", "cat", "choice"))
    return case.line(line_of(step)) if step is not None else case.where(loss.site)
