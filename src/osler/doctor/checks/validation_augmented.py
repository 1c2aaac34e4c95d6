"""Random changes are made to the samples that are evaluated."""

from collections.abc import Iterator

import numpy as np

from osler.doctor.augmentation_lines import drawing_functions, own_draws
from osler.doctor.case import Case
from osler.doctor.data_lines import calls_any, line_of, nearest
from osler.doctor.data_seen import Rows
from osler.doctor.fault import Fault, NotSeen, check
from osler.doctor.neighbours import distances
from osler.doctor.provenance import Step
from osler.doctor.script_reading import dotted
from osler.structures.finding import Finding, Remedy, Where
from osler.vitals.evidence import LoaderSeen, ModelSeen

FAULT = Fault(
    name="validation-augmented",
    category="data",
    phase="before",
    title="Validation data are augmented",
    symptom="Held-out figures jump from pass to pass and are worse than the network deserves.",
    cause=(
        "The random crops, rotations or noise meant for training are applied to the validation samples as well: one function, or "
        "one transform, serves both. The figure then measures how hard the augmentation is, and differs each time."
    ),
    seen_by=(
        "the same samples (their labels agree, pass for pass) come with other values in each pass, or a loader "
        "used for evaluation gives another picture when asked again"
    ),
    remedies=(
        Remedy("augment in training alone", "Give the validation data a transform of their own, without random parts."),
        Remedy("condition on the phase", "Apply the augmentation only where the network is trained."),
    ),
    sources=(
        "Goodfellow, Bengio, Courville 2016, section 7.4: apply augmentation alike when comparing",
        "PyTorch transfer-learning tutorial: separate transforms for train and val",
    ),
)


@check(FAULT)
def look(case: Case) -> Iterator[Finding]:
    """Compares passes over the same samples, and asks data sets twice."""
    model = case.models[0]
    if not model.call_counts["evaluate"]:
        raise NotSeen("the network was never evaluated")
    said = _by_loader(case) or _by_passes(case, model)
    if said is not None:
        yield FAULT.found(said, where=_place(case, model), certainty=0.9)


def _by_loader(case: Case) -> str | None:
    for place, loader in enumerate(case.evidence.loaders):
        twice = case.probes.get("dataset twice", {}).get(place)
        if twice is None or loader.used_for["train"] or not loader.used_for["evaluate"] or twice["differs"] < 0.3:
            continue
        if _may_be_new(case, loader) and twice.get("own", 1.0) > 0.9 * twice.get("others", 1.0):
            continue
        return (
            f"the data set of the evaluation loader ({loader.dataset}, {loader.samples:,} samples) gave another picture for "
            f"{twice['differs']:.0%} of the samples when asked a second time"
        )
    return None


def _may_be_new(case: Case, loader: LoaderSeen) -> bool:
    """Whether the data set may make its samples out of nothing: its `__getitem__` reads nothing that it holds."""
    kind = loader.dataset.rpartition(" ")[2]
    function = case.script.functions().get(f"{kind}.__getitem__")
    if function is None:
        return False
    index = function.args.args[1].arg if len(function.args.args) > 1 else ""
    import ast

    return not any(
        isinstance(n, ast.Subscript)
        and dotted(n.value).startswith("self.")
        and index in {m.id for m in ast.walk(n.slice) if isinstance(m, ast.Name)}
        for n in ast.walk(function)
    )


def _by_passes(case: Case, model: ModelSeen) -> str | None:
    data = case.data(model)
    rows = data.unknown_calls
    passes = [rows.at(np.flatnonzero(rows.step == step)) for step in np.unique(rows.step)]
    sizes = [len(p) for p in passes]
    whole = [p for p in passes if len(p) == max(set(sizes), key=sizes.count)] if passes else []
    if len(whole) < 2 or len(whole[0]) < 20 or data.counts or not np.isfinite(rows.values).all():
        return None
    again = float(np.isin(whole[1].keys, whole[0].keys).mean())
    if again > 0.5 or not own_draws(case.lines.held_out_inputs(model), case.lines.flow):
        return None
    if not _same_samples(whole):
        return None
    return (
        f"in {len(whole)} evaluation passes over the same {len(whole[0]):,} samples (their labels agree), "
        f"{1 - again:.0%} of the samples came with other values than before"
    )


def _same_samples(passes: list[Rows]) -> bool:
    """Labels of all passes agree as a whole, and do so by more than a balanced drawing would explain."""
    first = passes[0]
    if first.classes is not None:
        if any(p.classes is None or not np.array_equal(np.sort(p.classes), np.sort(first.classes)) for p in passes):
            return False
        counts = np.unique(first.classes, return_counts=True)[1]
        return int(np.ptp(counts)) > 1 or _nearer_than_others(passes)
    if first.numbers is not None:
        return all(
            p.numbers is not None and np.array_equal(np.sort(p.numbers[:, 0]), np.sort(first.numbers[:, 0]))
            for p in passes
        )
    return False


def _nearer_than_others(passes: list[Rows]) -> bool:
    """Whether samples lie nearer to those of another pass than to those of their own: each has a twin in the other."""
    a, b = passes[0].values[:400], passes[1].values[:400]
    inside = distances(a, a)
    np.fill_diagonal(inside, np.inf)
    ratio = np.log(np.maximum(distances(a, b).min(1), 1e-12) / np.maximum(inside.min(1), 1e-12))
    return bool(ratio.mean() < -4 * ratio.std() / np.sqrt(len(ratio)))


def _place(case: Case, model: ModelSeen) -> Where:
    """The call, on the way of the evaluation data, that draws; of a data set the line that makes it."""
    steps = case.lines.held_out_inputs(model)
    drawing = drawing_functions(case.lines.flow)
    calls = nearest(
        steps,
        lambda s: _outside_of_data_sets(s, case) and any(dotted(c.func).rpartition(".")[2] in drawing for c in s.calls),
    )
    sites = [x.site for x in case.evidence.loaders if x.used_for["evaluate"] and not x.used_for["train"] and x.site]
    made = nearest(
        steps,
        lambda s: any(dotted(c.func).rpartition(".")[2] in case.script.classes() for c in s.calls),
        calls_any("DataLoader"),
    )
    step = calls or made
    return case.line(line_of(step)) if step is not None else case.where(sites[0] if sites else None)


def _outside_of_data_sets(step: Step, case: Case) -> bool:
    return step.scope.partition(".")[0] not in case.script.classes()
