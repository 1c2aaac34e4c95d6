"""Inputs and labels are paired in the wrong order."""

from collections.abc import Iterator

import numpy as np

from osler.doctor import thresholds
from osler.doctor.case import Case
from osler.doctor.data_lines import calls_any, line_of, nearest
from osler.doctor.fault import Fault, NotSeen, check
from osler.doctor.label_agreement import agreement, at_chance, memorised, regression_agreement
from osler.doctor.provenance import Step
from osler.doctor.shuffling_lines import one_sided, reorders
from osler.structures.finding import Finding, Remedy, Where
from osler.vitals.evidence import ModelSeen

FAULT = Fault(
    name="labels-shuffled",
    category="data",
    phase="before",
    title="Labels do not belong to their inputs",
    symptom="The training loss falls, slowly, while held-out accuracy stays at chance.",
    cause=(
        "Inputs were shuffled, sorted or filtered and labels were not, or the two were listed in different orders. No rule "
        "connects them any more: all that a network can do is to learn each sample by heart."
    ),
    seen_by=(
        "nearest neighbours share a label no more often than chance pairs do (within 4 standard errors), held-out samples are "
        "answered at chance, and the training set is memorised or the script shuffles one side alone"
    ),
    remedies=(
        Remedy("keep the pairs", "Draw one permutation and index inputs and labels with it."),
        Remedy("look at pairs", "Show ten inputs with their labels as they enter the network."),
    ),
    sources=(
        "Zhang et al. 2017, Understanding deep learning requires rethinking generalization: networks fit random labels",
        "Braiek and Khomh 2022 (TheDeepChecker)",
    ),
)


@check(FAULT)
def look(case: Case) -> Iterator[Finding]:
    """Asks the neighbours, the evaluation and the script."""
    model = case.models[0]
    inputs, targets = case.lines.inputs(model), _targets(case, model)
    split = one_sided(inputs, targets)
    data = case.data(model)
    if data.fresh.numbers is not None:
        yield from _regression(case, model, split)
        return
    seen = agreement(data)
    if seen is None:
        raise NotSeen("no labels of classes were seen beside inputs of numbers")
    sigmas = seen.within.sigmas_over_chance(thresholds.NEIGHBOURS)
    across = seen.across.sigmas_over_chance(thresholds.NEIGHBOURS) if seen.across is not None else 0.0
    if max(sigmas, across if split is None else 0.0) > thresholds.SIGMAS_OF_CHANCE:
        return
    failed, learnt = at_chance(model, case), memorised(case, model)
    if failed is None or (learnt is None and split is None):
        return
    yield FAULT.found(
        f"nearest neighbours share a label in {seen.within.own_share:.0%} of cases, and by chance it would be "
        f"{seen.within.chance:.0%}; {failed}" + (f", though {learnt}" if learnt else ""),
        where=_place(case, split, inputs, targets),
        certainty=0.93 if split is not None else 0.8,
        change=_change(split),
    )


def _regression(case: Case, model: ModelSeen, split: Step | None) -> Iterator[Finding]:
    data = case.data(model)
    seen = regression_agreement(data.fresh, data)
    if seen is None or split is None:
        return
    correlation, count = seen
    if correlation > thresholds.SIGMAS_OF_CHANCE / np.sqrt(count):
        return
    yield FAULT.found(
        f"targets and the targets of their nearest neighbours have a correlation of {correlation:.2f} over {count} samples, "
        "as if drawn at random, and the script puts inputs and targets into different orders",
        where=case.line(split.line),
        certainty=0.88,
        change=_change(split),
    )


def _targets(case: Case, model: ModelSeen) -> list[Step]:
    losses = case.losses()
    found = case.lines.targets(losses[0]) if losses else []
    return found or case.lines.companions(model)


def _place(case: Case, split: Step | None, inputs: list[Step], targets: list[Step]) -> Where:
    step = split or nearest([*inputs, *targets], reorders, calls_any("train_test_split", "DataLoader"))
    return case.line(line_of(step))


def _change(split: Step | None) -> str | None:
    if split is None:
        return None
    return f"Line {split.line} reorders one side alone: draw one permutation, and index inputs and labels with it."
