"""The same random changes are drawn again and again."""

from collections.abc import Iterator

import numpy as np

from osler.doctor.case import Case
from osler.doctor.fault import Fault, check
from osler.doctor.seeding_lines import own_generators, seeding_in_items, seeding_in_training
from osler.structures.finding import Finding, Remedy
from osler.vitals.evidence import LoaderSeen

FAULT = Fault(
    name="repeated-augmentation",
    category="data",
    phase="before",
    title="The same random augmentation is drawn again and again",
    symptom="Augmentation changes nothing: the network overfits as it did without.",
    cause=(
        "The generator is made or seeded anew for each sample, batch or epoch, or each worker process holds a copy of it. Every "
        "draw then gives the same numbers, so that all samples get one shift, or each epoch repeats the one before."
    ),
    seen_by=(
        "the script makes or seeds a generator, with a seed that does not change, inside of what is called "
        "for every sample, batch or "
        "epoch, and draws from it; a data set asked twice gives the same sample"
    ),
    remedies=(
        Remedy("seed once", "Make the generator once, before training, and keep it."),
        Remedy(
            "seed the workers",
            "Give the loader a worker_init_fn that seeds each worker's own generator from torch.initial_seed().",
        ),
    ),
    sources=(
        "PyTorch issue 5059: workers draw the same NumPy numbers",
        "PyTorch documentation: Reproducibility, DataLoader",
    ),
)


@check(FAULT)
def look(case: Case) -> Iterator[Finding]:
    """Reads the script for seeds in the wrong place, and asks the data sets and the samples."""
    yield from _in_items(case)
    yield from _in_workers(case)
    yield from _in_training(case)


def _in_items(case: Case) -> Iterator[Finding]:
    for place, loader in enumerate(case.evidence.loaders):
        if not loader.used_for["train"]:
            continue
        twice = case.probes.get("dataset twice", {}).get(place)
        seeded = seeding_in_items(case.lines.flow, _kind(loader))
        if seeded is None or (twice is not None and twice["differs"] > 0):
            continue
        asked = "; asked twice, it gave the same samples value for value" if twice is not None else ""
        yield FAULT.found(
            f"{seeded.text} stands in what {_kind(loader)} runs for each sample, so that every draw gives the same numbers{asked}",
            where=case.line(seeded.line),
            certainty=0.95,
            change="Make the generator once, in __init__, and draw from it here.",
        )
        return


def _in_workers(case: Case) -> Iterator[Finding]:
    for loader in case.evidence.loaders:
        if not loader.used_for["train"] or loader.workers == 0 or loader.site is None:
            continue
        own = own_generators(case.lines.flow, _kind(loader))
        call = next((c for c in case.script.calls_of("DataLoader") if c.line == loader.site.line), None)
        if own is None or (call is not None and call.keyword("worker_init_fn") is not None):
            continue
        yield FAULT.found(
            f"{loader.workers} worker processes each get a copy of {own.text}, and draw the same numbers, anew in each epoch",
            where=case.line(own.line),
            certainty=0.9,
        )


def _in_training(case: Case) -> Iterator[Finding]:
    model = case.models[0]
    seeded = seeding_in_training(case.lines.flow, case.lines.inputs(model))
    if seeded is None:
        return
    repeats = _epochs_repeat(case)
    drawn = f"{seeded.text} runs again and again during training with the same seed"
    yield FAULT.found(
        drawn + (f"; {repeats}" if repeats else ", and what it seeds changes the samples"),
        where=case.line(seeded.line),
        certainty=0.93 if repeats else 0.85,
    )


def _epochs_repeat(case: Case) -> str | None:
    """In words that samples come back in the same order and with the same values."""
    rows = case.data(case.models[0]).train
    if not len(rows):
        return None
    again = np.flatnonzero(rows.keys == rows.keys[0])
    if len(again) < 2:
        return None
    period = int(again[1])
    if period < 20 or len(rows) < 2 * period:
        return None
    same = float((rows.keys[:period] == rows.keys[period : 2 * period]).mean())
    return f"{same:.0%} of {period:,} samples came back in the same place with the same values" if same > 0.95 else None


def _kind(loader: LoaderSeen) -> str:
    return loader.dataset.rpartition(" ")[2]
