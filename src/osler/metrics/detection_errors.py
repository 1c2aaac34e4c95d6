"""Why detections are wrong and objects missed, and what each reason costs in AP (Bolya et al. 2020, "TIDE").

A detection that found no object falls under the first of these that fits, as in the authors' program:

- localisation: an object of its class is there, but the overlap is only 0.1 to 0.5;
- classification: it overlaps an object of another class by 0.5 or more;
- duplicate: it overlaps an object of its class by 0.5 or more, but a surer one has found that;
- background: it overlaps no object by more than 0.1;
- both: what is left; it overlaps an object of another class by 0.1 to 0.5.

An object is missed that no detection found and that no localisation or classification error means.

The cost of a kind is the AP at IoU 0.5 that is gained when its errors alone are put right (section 2.3): a wrong class or
place is corrected where the object is still free (by the surest of several; the others go), duplicates, both and
background go, and missed objects are no longer asked for. Costs do not add up to 1 - AP: one error can hide another.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Int

from osler.metrics.detection_curves import coco_area
from osler.metrics.detection_matching import OVERLAP, Matched, match_all
from osler.structures.detections import Detections, TrueObjects

Kind = Literal["classification", "localisation", "both", "duplicate", "background", "missed"]
KINDS: tuple[Kind, ...] = ("classification", "localisation", "both", "duplicate", "background", "missed")
NEAR = 0.1  # overlap from which a detection means an object
NO_ERROR = ""


@dataclass(frozen=True, slots=True)
class DetectionErrors:
    """How often a detector erred in each way, and the AP that each way costs."""

    ap50: float  # as it is; 0 where there is nothing to find
    counts: dict[Kind, int]
    costs: dict[Kind, float]  # AP at IoU 0.5 that is gained when they are put right, 0 to 1


@dataclass(frozen=True, slots=True)
class _Ledger:
    """All detections that count and all objects, numbered over all pictures."""

    scores: Float[np.ndarray, " found"]
    labels: Int[np.ndarray, " found"]
    right: Bool[np.ndarray, " found"]
    kinds: np.ndarray  # of each detection's error, as text; "": none
    means: Int[np.ndarray, " found"]  # the object that an error of class or place means; -1: none
    true_labels: Int[np.ndarray, " objects"]
    asked: Bool[np.ndarray, " objects"]  # not ignored
    free: Bool[np.ndarray, " objects"]  # asked for, and not found


def detection_errors(found: Sequence[Detections], truths: Sequence[TrueObjects], classes: int) -> DetectionErrors:
    """The errors of boxes over some pictures, and what they cost.

    Args:
        found: of each picture, on the CPU.
        truths: of each picture, in the same order.
        classes: how many there are.
    """
    return errors_of(match_all(found, truths), classes)


def errors_of(matches: Sequence[Matched], classes: int) -> DetectionErrors:
    """The same of pictures matched already, at IoU 0.5."""
    ledger = _ledger(matches)
    asked = np.bincount(ledger.true_labels[ledger.asked], minlength=classes)
    ap = _mean_ap(ledger.scores, ledger.labels, ledger.right, asked, asked)
    missed = ledger.free.copy()
    missed[ledger.means[ledger.means >= 0]] = False
    left = asked - np.bincount(ledger.true_labels[missed], minlength=classes)
    counts: dict[Kind, int] = {kind: int((ledger.kinds == kind).sum()) for kind in KINDS}
    mended: dict[Kind, float] = {kind: _mean_ap(*_put_right(ledger, kind), asked, asked) for kind in KINDS}
    counts["missed"] = int(missed.sum())
    mended["missed"] = _mean_ap(ledger.scores, ledger.labels, ledger.right, left, asked)
    # A hair below zero is no gain: the 101 recalls fall on other detections.
    return DetectionErrors(ap, counts, {kind: max(0.0, value - ap) for kind, value in mended.items()})


def explain(matched: Matched) -> tuple[np.ndarray, Int[np.ndarray, " found"]]:
    """For each detection of a picture the kind of its error, as text ("": none), and the object that it means (-1: none)."""
    overlaps = np.where(matched.ignored, 0.0, matched.overlaps)
    same = matched.labels[:, None] == matched.true_labels
    padded = [np.pad(np.where(mask, overlaps, 0.0), ((0, 0), (0, 1))) for mask in (same, ~same)]
    own, other = (each.max(axis=1) for each in padded)
    place = (own >= NEAR) & (own < OVERLAP)
    choices = {
        NO_ERROR: ~matched.wrong,
        "localisation": place,
        "classification": other >= OVERLAP,
        "duplicate": own >= OVERLAP,
        "background": np.maximum(own, other) <= NEAR,
    }
    kinds = np.select(list(choices.values()), list(choices), "both")
    nearest = [each.argmax(axis=1) for each in padded]
    means = np.select([kinds == "localisation", kinds == "classification"], nearest, -1)
    return kinds, means


def _ledger(matches: Sequence[Matched]) -> _Ledger:
    """The detections of all pictures without the excused ones."""
    first = np.cumsum([0, *(len(m.ignored) for m in matches)])
    explained = [explain(m) for m in matches]
    counted = [~m.excused for m in matches]

    def rows(values: Sequence[np.ndarray]) -> np.ndarray:
        return np.concatenate([v[keep] for v, keep in zip(values, counted, strict=True)] or [np.zeros(0, int)])

    def whole(values: Sequence[np.ndarray], kind: type) -> np.ndarray:
        return np.concatenate([*values, np.zeros(0, kind)]).astype(kind)

    return _Ledger(
        rows([m.scores for m in matches]),
        rows([m.labels for m in matches]),
        rows([m.right for m in matches]).astype(bool),
        rows([kinds for kinds, _ in explained]),
        rows([np.where(means >= 0, means + at, -1) for (_, means), at in zip(explained, first[:-1], strict=True)]),
        whole([m.true_labels for m in matches], int),
        whole([~m.ignored for m in matches], bool),
        whole([m.missed for m in matches], bool),
    )


def _put_right(
    ledger: _Ledger, kind: Kind
) -> tuple[Float[np.ndarray, " kept"], Int[np.ndarray, " kept"], Bool[np.ndarray, " kept"]]:
    """Scores, labels and rightness of the detections when the errors of one kind are mended or, if useless, gone."""
    of_kind = ledger.kinds == kind
    labels, right, taken = ledger.labels.copy(), ledger.right.copy(), ~ledger.free
    for row in np.argsort(-ledger.scores, kind="stable"):
        meant = ledger.means[row]
        if of_kind[row] and meant >= 0 and not taken[meant]:
            taken[meant] = right[row] = True
            labels[row] = ledger.true_labels[meant]
    keep = ~of_kind | right
    return ledger.scores[keep], labels[keep], right[keep]


def _mean_ap(
    scores: Float[np.ndarray, " found"],
    labels: Int[np.ndarray, " found"],
    right: Bool[np.ndarray, " found"],
    objects: Int[np.ndarray, " classes"],
    asked: Int[np.ndarray, " classes"],
) -> float:
    """The mean AP of the classes of which there were objects (`asked`), `objects` of them still to be found.

    Of a class of which none is left, nothing can be said, unless it is found all the same: that is an AP of 0.
    """
    order = np.argsort(-scores, kind="stable")
    areas = []
    for label in np.flatnonzero(asked):
        rows = order[labels[order] == label]
        if objects[label]:
            areas.append(coco_area(right[rows], int(objects[label])))
        elif len(rows):
            areas.append(0.0)
    return float(np.mean(areas)) if areas else 0.0
