"""A channel, a feature or the whole input is the same for all samples."""

from collections.abc import Iterator

import numpy as np

from osler.doctor import thresholds
from osler.doctor.case import Case
from osler.doctor.constant_lines import constant_making, cuts_fractions
from osler.doctor.data_lines import calls_any, converts, line_of, nearest
from osler.doctor.data_seen import DataSeen
from osler.doctor.fault import Fault, NotSeen, check
from osler.doctor.provenance import Step
from osler.structures.finding import Finding, Remedy
from osler.vitals.evidence import ModelSeen

FAULT = Fault(
    name="constant-input",
    category="data",
    phase="before",
    title="A channel, feature or image carries no information",
    symptom="The network stays at chance or well below what the data should allow, and nothing looks wrong.",
    cause=(
        "An integer division, a conversion to bytes before scaling, a wrong channel or an array that was never filled leaves a "
        "part of the input the same for every sample. What that part should have told is lost to the network."
    ),
    seen_by=(
        "a channel of pictures has zero spread over at least 100 samples; or one column of a table has, while each other "
        "column has at least 10 different values; or all samples are the same"
    ),
    remedies=(
        Remedy("repair the conversion", "Divide with /, convert to float before scaling, and fill every channel."),
        Remedy("look at the data", "Show a few samples channel by channel as they enter the network."),
    ),
    sources=(
        "Braiek and Khomh 2022 (TheDeepChecker): zero spread of an input over 500 samples",
        "scikit-learn, VarianceThreshold",
    ),
)


@check(FAULT)
def look(case: Case) -> Iterator[Finding]:
    """Looks at channels of pictures and columns of tables."""
    model = case.models[0]
    data = case.data(model)
    if len(data.train) < thresholds.CONSTANT_SAMPLES:
        raise NotSeen("too few training samples were seen")
    if data.counts:
        return
    steps = case.lines.inputs(model)
    said = _all_the_same(data) or _channels(model, data) or _columns(data) or _cut_to_whole(data, steps)
    if said is None:
        return
    step = nearest(steps, constant_making, converts, calls_any("DataLoader"))
    first = next((x.name for x in case.layers(model) if x.leaf and x.parameters), None)
    site = next((c.site for c in model.calls if c.moment == "train"), None)
    place = case.line(line_of(step), first) if step is not None else case.where(site, first)
    yield FAULT.found(said, where=place, certainty=0.93, severity="critical")


def _all_the_same(data: DataSeen) -> str | None:
    values = data.train.values
    if values.shape[1] < 2 or not np.isfinite(values).all() or np.any(values.max(0) > values.min(0)):
        return None
    kind = "blank" if np.ptp(values) == 0 else "the same picture"
    return f"all of {len(values):,} training samples are {kind}: no value differs from sample to sample"


def _channels(model: ModelSeen, data: DataSeen) -> str | None:
    """Pictures [channels, height, width]: a channel that holds one value in all samples."""
    calls = (
        [c for c in model.calls if c.moment == "train" and len(c.channel_stds) == data.shape[0]] if data.shape else []
    )
    if len(data.shape) != 3 or not 2 <= data.shape[0] <= 16 or not calls:
        return None
    spreads = np.array([c.channel_stds for c in calls]).max(0)
    means = np.ptp(np.array([c.channel_means for c in calls]), axis=0)
    dead = [k for k in range(data.shape[0]) if spreads[k] <= 1e-7 and means[k] <= 1e-7]
    if not dead or len(dead) == data.shape[0]:
        return None
    value = calls[0].channel_means[dead[0]]
    alive = float(np.median([s for s in spreads if s > 1e-7]))
    samples = sum(c.inputs[0].shape[0] for c in calls)
    names = ", ".join(str(k) for k in dead)
    return (
        f"channel {names} of {data.shape[0]} is {value:.4g} in every pixel of {samples:,} training samples, "
        f"while the others have a spread of {alive:.2g}"
    )


def _cut_to_whole(data: DataSeen, steps: list[Step]) -> str | None:
    """Fractions that were cut to whole numbers: nearly all of what lay between 0 and 1 is 0 now."""
    values = data.train.values
    if not any(cuts_fractions(s) for s in steps) or not np.isfinite(values).all():
        return None
    zeros = float((values == 0).mean())
    kinds = np.unique(values)
    if len(kinds) > 3 or zeros < 0.5 or np.any(kinds != np.round(kinds)):
        return None
    shown = ", ".join(f"{v:g}" for v in kinds)
    return (
        f"inputs hold no other values than {shown}, and {zeros:.1%} of them are 0: fractions were cut to whole numbers "
        "on their way"
    )


def _columns(data: DataSeen) -> str | None:
    """Tables [features], and series [steps, features] by their last axis: one column without spread among lively ones."""
    if len(data.shape) not in (1, 2) or not data.whole:
        return None
    values = data.train.values.reshape(-1, data.shape[-1])
    if not 2 <= values.shape[1] <= 64 or not np.isfinite(values).all():
        return None
    dead = np.flatnonzero(values.max(0) == values.min(0))
    if not 1 <= len(dead) <= values.shape[1] // 3 or np.all(values[0, dead] == 1):  # a column of ones is an intercept
        return None
    alive = np.setdiff1d(np.arange(values.shape[1]), dead)
    least = min(len(np.unique(values[:, k])) for k in alive)
    if least < thresholds.OTHERS_VALUES or any((values[:, k] == np.median(values[:, k])).mean() > 0.5 for k in alive):
        return None
    return (
        f"feature {', '.join(str(k) for k in dead)} of {values.shape[1]} is {values[0, dead[0]]:.4g} in all of "
        f"{len(data.train):,} training samples, while every other has at least {least} different values"
    )
