"""Losses of a regression, those that the program writes out among them."""

import math
from collections import Counter

import numpy as np

from osler.doctor.case import REGRESSION_LOSSES, Case
from osler.vitals.evidence import LossSample, LossSeen, ModelSeen, Summary

LAST_CALLS = 5


def regression_losses(case: Case) -> list[LossSeen]:
    """The regression losses that taught something; where there is none, what outputs and targets tell of the program's own."""
    found = case.losses(*REGRESSION_LOSSES)
    if found or case.classifies or not case.evidence.trained_models:
        return found
    own = _own(case, case.models[0])
    return [own] if own is not None else []


def _own(case: Case, model: ModelSeen) -> LossSeen | None:
    """A record like that of a loss function: the first batches as they were kept, and the last outputs beside all targets."""
    rows = case.data(model).train
    if rows.numbers is None or rows.outputs is None or rows.outputs.size != rows.numbers.size:
        return None
    lines = sorted(case.evidence.backwards, key=lambda b: -len(b.values))
    loss = LossSeen("own", lines[0].site if lines else None, made_by=model.outputs_of)
    loss.targets = Counter(rows.numbers.reshape(-1)[:2_000].tolist())
    value = lines[0].values[-1][1] if lines and lines[0].values else float("nan")
    for batch in np.unique(rows.batch)[:20]:
        inside = rows.batch == batch
        given, wanted = _summary(rows.outputs[inside]), _summary(rows.numbers[inside])
        loss.samples.append(LossSample(int(rows.step[inside][0]) + 1, "train", value, given, wanted))
    every = _summary(rows.numbers)
    calls = [c for c in model.calls if c.moment == "train" and c.output is not None]
    loss.samples += [
        LossSample(c.step, "train", value, c.output, every) for c in calls[-LAST_CALLS:] if c.output is not None
    ]
    loss.counts["train"] = model.call_counts["train"]
    return loss


def _summary(values: np.ndarray) -> Summary:
    flat = values[np.isfinite(values)]
    bad = values.size - flat.size
    if not flat.size:
        return Summary(values.shape, "float32", math.nan, math.nan, math.nan, math.nan, math.nan, bad)
    mean, std, low, high = float(flat.mean()), float(flat.std()), float(flat.min()), float(flat.max())
    return Summary(values.shape, "float32", mean, std, low, high, float((flat == 0).mean()), bad)
