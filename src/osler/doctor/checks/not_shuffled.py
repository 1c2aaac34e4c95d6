"""Training batches come in the order of the labels."""

import ast
from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from osler.doctor import thresholds
from osler.doctor.case import Case
from osler.doctor.class_tasks import class_batches, comes_in_tasks
from osler.doctor.data_lines import line_of, nearest
from osler.doctor.data_seen import Rows
from osler.doctor.fault import Fault, NotSeen, check
from osler.doctor.provenance import Step
from osler.structures.finding import Finding, Remedy, Where
from osler.vitals.evidence import ModelSeen

FAULT = Fault(
    name="not-shuffled",
    category="data",
    phase="before",
    title="Training data are not shuffled",
    symptom="The loss goes up and down with the epoch's course, and the classes met last are answered best.",
    cause=(
        "Samples come sorted, folder after folder, so that a batch holds one class or two. Each step pulls the network towards the "
        "class at hand, and it forgets the others until they come round again."
    ),
    seen_by=(
        "batches hold under 0.6 of the classes that a random draw of that size would, and neighbouring "
        "samples across batches share a "
        "class far more often than by chance (6 standard errors)"
    ),
    remedies=(
        Remedy("shuffle", "Make the training loader with shuffle=True, or draw a new permutation each epoch."),
        Remedy("shuffle once", "If samples come as a stream, mix them through a buffer of some thousands."),
    ),
    sources=(
        "Bengio 2012, Practical recommendations for gradient-based training, section 3.1",
        "cleanlab, non-iid test of the order of samples",
    ),
)


@check(FAULT)
def look(case: Case) -> Iterator[Finding]:
    """Compares the classes in each batch with what random batches would hold."""
    model = case.models[0]
    rows = case.data(model).train
    if rows.classes is None:
        yield from _regression(case, model, rows)
        return
    batches = class_batches(rows)
    sizes = [len(b) for b in batches]
    size = int(np.median(sizes)) if sizes else 0
    if len(batches) < 6 or size < 2:
        raise NotSeen("too few batches with labels were seen")
    shares = np.unique(rows.classes, return_counts=True)[1] / len(rows)
    expected = float(np.sum(1 - (1 - shares) ** size))
    seen = float(np.mean([len(np.unique(b)) for b in batches]))
    chance = float((shares**2).sum())
    across = np.array([a[-1] == b[0] for a, b in pairwise(batches)])
    error = np.sqrt(max(chance * (1 - chance), 1e-9) / len(across))
    if (
        len(shares) < 2
        or expected < 1.2
        or across.mean() < chance + min(thresholds.ORDER_SIGMAS * error, 0.7 * (1 - chance))
    ):
        return
    if seen - 1 > thresholds.FEWER_CLASSES * (expected - 1):
        return
    if comes_in_tasks(rows):
        return
    pure = float(np.mean([len(np.unique(b)) == 1 for b in batches]))
    yield FAULT.found(
        f"a batch of {size} holds {seen:.1f} of {len(shares)} classes on average ({pure:.0%} of the batches a "
        f"single one), and shuffled "
        f"batches would hold {expected:.1f}",
        where=_place(case, model),
        certainty=0.94,
    )


def _regression(case: Case, model: ModelSeen, rows: Rows) -> Iterator[Finding]:
    """One number in, or pictures, with a target that changes little from sample to sample."""
    shape = case.data(model).shape
    if rows.numbers is None or (shape != (1,) and len(shape) != 3):
        raise NotSeen("no labels of classes were seen beside training samples")
    target = rows.numbers[:, 0]
    means = [float(b.mean()) for b in np.split(target, np.flatnonzero(np.diff(rows.batch)) + 1)]
    once = int(np.flatnonzero(rows.keys == rows.keys[0])[1]) if (rows.keys == rows.keys[0]).sum() > 1 else len(rows)
    size = len(rows) / max(1, len(means))
    if target.std() == 0 or size < 4 or once < 8 * size:
        return
    near = float(np.corrcoef(target[:-1], target[1:])[0, 1])
    share = float(np.var(means) / target.var())
    if near > 0.9 and share > 0.7:
        yield FAULT.found(
            f"neighbouring samples have nearly the same target (correlation {near:.2f}), and {share:.0%} of "
            f"the targets' spread lies "
            f"between batches, where shuffled batches of {size:.0f} would leave {1 / size:.0%}",
            where=_place(case, model),
            severity="warning",
            certainty=0.8,
        )


def _place(case: Case, model: ModelSeen) -> Where:
    """The loader; without one the loop that cuts batches out."""
    loaders = [x for x in case.evidence.loaders if x.used_for["train"] and x.site is not None]
    if loaders:
        return case.where(max(loaders, key=lambda x: x.used_for["train"]).site)
    steps = case.lines.inputs(model)
    step = nearest(steps, _cuts, lambda s: isinstance(s.node, ast.Assign))
    return case.line(line_of(step))


def _cuts(step: Step) -> bool:
    """`range(0, n, size)`, `x.split(size)`, `order = torch.arange(n)`: where the order of batches is made."""
    return any(word in step.text for word in ("range(", "split(", "arange(", "chunk("))
