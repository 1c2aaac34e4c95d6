"""Answers of networks whose output is no score for a class: features that others read are not held against labels."""

from collections import Counter
from dataclasses import replace

from osler.doctor.case import CLASS_LOSSES
from osler.vitals.evidence import Answers, Evidence, LossSeen, ModelSeen, Producer

WIDTHS_NOTED = 200


def with_taught_answers(evidence: Evidence) -> Evidence:
    """The evidence without right and wrong answers of networks whose first output is not what a loss for classes is given.

    A centre loss reads features beside the scores, a contrastive loss compares features with each other, an angular one
    lays them beside directions: the largest feature of a sample is no class.
    """
    losses = [x for x in evidence.losses if x.function in CLASS_LOSSES and x.counts["train"] and x.target_is_integer]
    if not losses:
        return evidence
    models = [_without_features(model, losses) for model in evidence.models]
    same = all(one is other for one, other in zip(models, evidence.models, strict=True))
    return evidence if same else replace(evidence, models=models)


def _without_features(model: ModelSeen, losses: list[LossSeen]) -> ModelSeen:
    widths = _widths(model, "train")
    scored = {s.input.shape[1] for x in losses for s in x.samples if len(s.input.shape) > 1 and s.moment == "train"}
    if not model.trained or not widths or not scored or widths & scored or not _others_read(model, losses):
        return model
    cleaned = replace(model)
    if model.last_training is not None:
        cleaned.last_training = _unjudged(model.last_training)
    if not _widths(model, "evaluate") & scored:
        cleaned.answers = [_unjudged(a) for a in model.answers]
    return cleaned


def _widths(model: ModelSeen, moment: str) -> set[int]:
    """How many scores a sample the first output would hold."""
    outputs = [c.output for c in model.calls[:WIDTHS_NOTED] if c.moment == moment and c.output is not None]
    return {o.shape[1] for o in outputs if len(o.shape) == 2}


def _others_read(model: ModelSeen, losses: list[LossSeen]) -> bool:
    """Whether what the losses are given was not only cut out of the first output: another layer or product made it."""
    own = _layer(model.outputs_of)
    for loss in losses:
        products = any(p.operation.startswith(("Mm", "Bmm", "Linalg", "Div", "Cdist", "Dot")) for p in loss.made_by)
        if _layer(loss.made_by) == own and not products:
            return False
    return True


def _layer(made_by: list[Producer]) -> str | None:
    return next((p.layer for p in made_by if p.layer), None)


def _unjudged(answers: Answers) -> Answers:
    return replace(
        answers,
        predicted=Counter(),
        labelled=Counter(),
        right=0,
        judged=0,
        confusion={},
        batches=[],
        errors=[],
        spreads=[],
    )
