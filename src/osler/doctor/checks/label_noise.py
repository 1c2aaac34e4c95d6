"""A share of the training labels contradicts what neighbouring samples say."""

import ast
import math
from collections.abc import Iterator

import numpy as np

from osler.doctor import thresholds
from osler.doctor.augmentation_lines import own_draws
from osler.doctor.case import Case
from osler.doctor.data_lines import assigns, draws, line_of, nearest
from osler.doctor.fault import Fault, NotSeen, check
from osler.doctor.label_agreement import agreement
from osler.doctor.neighbours import Vote
from osler.doctor.provenance import Step
from osler.structures.finding import Finding, Remedy
from osler.vitals.evidence import ModelSeen

FAULT = Fault(
    name="label-noise",
    category="data",
    phase="before",
    title="Many labels are wrong",
    symptom="Training accuracy stops early, then creeps up while held-out accuracy falls.",
    cause=(
        "Part of the labels are wrong: crowd workers, a rule that labels by file name, a mapping that mixes classes. The network "
        "first learns the rule and then, at the cost of it, the exceptions by heart."
    ),
    seen_by=(
        "held-out labels agree with the vote of their neighbours in training by 7 points (3.5 standard errors) more often than the "
        "training labels themselves do; within one class, by 30 points"
    ),
    remedies=(
        Remedy(
            "clean the labels",
            "Look at the samples whose neighbours, or whose predictions out of fold, say otherwise, and relabel them.",
        ),
        Remedy("stop early", "Keep the weights of the best held-out loss; add label_smoothing or weight decay."),
    ),
    sources=(
        "Northcutt, Jiang, Chuang 2021, Confident Learning",
        "Arpit et al. 2017, A Closer Look at Memorization in Deep Networks",
        "the doctor's own calibration on clean data sets and on labels spoilt on purpose",
    ),
)


@check(FAULT)
def look(case: Case) -> Iterator[Finding]:
    """Compares the votes for training labels with those for held-out labels."""
    model = case.models[0]
    seen = agreement(case.data(model))
    if seen is None or seen.across is None:
        raise NotSeen("no labels of classes were seen both in training and in evaluation")
    within, across = seen.within, seen.across
    losses = case.losses()
    steps = (case.lines.targets(losses[0]) if losses else []) or case.lines.companions(model)
    spoilt = nearest(steps, _spoils)
    if spoilt is None and _augmented(case, model):
        raise NotSeen("training samples are changed at random, so that they lie less close together than held-out ones")
    said = _overall(within, across) or _of_a_class(within, across)
    if said is not None:
        step = spoilt or nearest(steps, _maps, draws, assigns)
        yield FAULT.found(said, where=case.line(line_of(step)), certainty=0.86)


def _overall(within: Vote, across: Vote) -> str | None:
    """In words that held-out labels agree with the vote more often than training labels."""
    gain = across.accuracy - within.accuracy
    error = math.sqrt(_variance(within.right) + _variance(across.right))
    separable = within.accuracy > within.chance + 0.15
    if not separable or gain < max(thresholds.NOISE_GAIN, thresholds.NOISE_SIGMAS * error):
        return None
    wrong = 1 - within.accuracy / max(across.accuracy, 1e-9)
    return (
        f"the commonest label among a training sample's {thresholds.NEIGHBOURS} neighbours is its own in "
        f"{within.accuracy:.0%} of cases, but "
        f"a held-out sample's in {across.accuracy:.0%}: about {wrong:.0%} of the training labels seem wrong"
    )


def _of_a_class(within: Vote, across: Vote) -> str | None:
    """In words that one class alone is spoilt: one in which training labels contradict their neighbours."""
    if within.accuracy < within.chance + 0.15:
        return None
    for label in np.unique(within.labels):
        mine, theirs = within.right[within.labels == label], across.right[across.labels == label]
        if min(len(mine), len(theirs)) < 15:
            continue
        gain = float(theirs.mean() - mine.mean())
        error = math.sqrt(_variance(mine) + _variance(theirs))
        if gain > max(thresholds.NOISE_GAIN_OF_CLASS, thresholds.NOISE_SIGMAS_OF_CLASS * error):
            return (
                f"of the training samples labelled {label}, {1 - mine.mean():.0%} lie among samples of "
                f"another class, but of the held-out "
                f"ones only {1 - theirs.mean():.0%}"
            )
    return None


def _variance(right: np.ndarray) -> float:
    """Of a share of right ones, with one more of each kind, so that it is never nil."""
    share = (right.sum() + 1) / (len(right) + 2)
    return float(share * (1 - share) / len(right))


def _augmented(case: Case, model: ModelSeen) -> bool:
    """Whether training samples may be changed at random, so that they lie less close together than held-out ones."""
    return not case.data(model).covered and own_draws(case.lines.inputs(model), case.lines.flow)


def _spoils(step: Step) -> bool:
    """Labels that are written over in part, at random: `y[flip] = torch.randint(...)`, `np.where(flip, other, y)`."""
    node = step.node
    partly = isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Subscript)
    return (step.in_place and partly and draws(step)) or ("where(" in step.text and draws(step))


def _maps(step: Step) -> bool:
    """Labels that are written over in part, or mapped."""
    node = step.node
    partly = isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Subscript)
    return (step.in_place and partly) or any(n in step.text for n in ("where(", "%", "choice("))
