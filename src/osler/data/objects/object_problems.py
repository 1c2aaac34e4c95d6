"""What an audit finds wrong with annotated objects: each problem with a sentence and the places where it is."""

from collections import defaultdict
from collections.abc import Callable, Sequence

import numpy as np

from osler.data.audit_problems import Problem
from osler.data.objects.object_audit import ObjectAudit
from osler.data.picture_facts import PictureFacts
from osler.data.source import ObjectFault

STRONG_IMBALANCE = 10  # times as many objects in the largest class as in the smallest
Strange = Callable[[np.ndarray, np.ndarray], np.ndarray]  # of widths and heights
TINY = 4.0  # pixels: a shorter side is less than most networks' first stride
ALONG = 20.0  # times as long as wide

SENTENCES = {
    "no area": "boxes have no area and are left out.",
    "outside": "boxes lie outside their picture and are left out.",
    "reaches outside": "boxes reach outside their picture and are cut to it.",
    "not a number": "boxes hold a value that is no finite number and are left out.",
    "swapped corners": "boxes end before they begin and are left out: swapped corners, or x, y, width, height taken for "
    "corners.",
    "not a share": "boxes hold numbers that are no shares of the picture's sides and are left out: pixels, perhaps?",
    "unknown category": "objects are of a category that is not listed and are left out.",
    "unknown picture": "objects are of a picture that is not listed and are left out.",
    "duplicate id": "annotations have an id that another has.",
    "malformed line": "lines cannot be read and are left out.",
    "no box": "objects have no box that can be read and are left out.",
    "no class": "objects have no class and are left out.",
    "unusable outline": "outlines cannot be used.",
    "unusable size": "pictures have an annotated size that none can have; that of the file is taken.",
    "unusable area": "objects have an area that is no number; that of the box is taken.",
    "unclear mark": "objects have a mark that says neither yes nor no, and is taken for no.",
}
"""What is said of all faults of one name, after their number."""


def object_problems(found: ObjectAudit, facts: Sequence[PictureFacts], faults: Sequence[ObjectFault]) -> list[Problem]:
    """All problems of objects, the ones that falsify results first."""
    problems = [
        *_faults(faults),
        _repeated(facts),
        _alike(found),
        _unseen(found, "train"),
        _unseen(found, "validation"),
    ]
    problems += [_unseen(found, "test"), _imbalance(found), _tiny(facts), _long(facts)]
    return [problem for problem in problems if problem is not None]


def _problem(name: str, message: str, where: Sequence[str] = ()) -> Problem:
    return Problem(name, message, tuple(where))


def _faults(faults: Sequence[ObjectFault]) -> list[Problem]:
    grouped: dict[str, list[ObjectFault]] = defaultdict(list)
    for fault in faults:
        grouped[fault.name].append(fault)
    return [
        _problem(name, f"{len(found)} {SENTENCES.get(name, 'objects.')}", [f.reason for f in found])
        for name, found in grouped.items()
    ]


def _repeated(facts: Sequence[PictureFacts]) -> Problem | None:
    where, count = [], 0
    for fact in facts:
        if fact.objects is None or len(fact.objects) < 2:
            continue
        rows = np.column_stack([fact.objects.boxes.astype(np.float64), fact.objects.labels])
        extra = len(rows) - len(np.unique(rows, axis=0))
        if extra:
            where.append(f"{fact.where}: {extra}")
            count += extra
    if not count:
        return None
    message = f"{count} objects have the box and the class of another in their picture: each counts twice."
    return _problem("repeated boxes", message, where)


def _alike(found: ObjectAudit) -> Problem | None:
    """Class names that differ by their spelling only."""
    names = list(next(iter(found.counts.values())))
    spelled: dict[str, list[str]] = defaultdict(list)
    for name in names:
        spelled["".join(c for c in name.casefold() if c.isalnum()) or name].append(name)
    alike = [" = ".join(map(repr, group)) for group in spelled.values() if len(group) > 1]
    if not alike:
        return None
    return _problem("names alike", f"{len(alike)} classes are spelled in several ways: one thing, perhaps.", alike)


def _unseen(found: ObjectAudit, part: str) -> Problem | None:
    if part not in found.counts:
        return None
    others = [counts for other, counts in found.counts.items() if other != part]
    missing = [
        name
        for name, count in found.counts[part].items()
        if count == 0 and (any(counts[name] for counts in others) or part == "train")
    ]
    what = "nothing can be learnt of them" if part == "train" else f"what {part} says of them is nothing"
    if not missing:
        return None
    return _problem(f"missing in {part}", f"{len(missing)} classes have no {part} object: {what}.", missing)


def _imbalance(found: ObjectAudit) -> Problem | None:
    present = {name: count for name, count in found.counts["train"].items() if count}
    if len(present) < 2:
        return None
    smallest, largest = min(present, key=present.__getitem__), max(present, key=present.__getitem__)
    ratio = present[largest] / present[smallest]
    if ratio < STRONG_IMBALANCE:
        return None
    return _problem(
        "imbalance",
        f"{largest} has {present[largest]:,} training objects and {smallest} {present[smallest]:,}: {ratio:.0f} times "
        "as many. Judge by the figures of each class.",
        (largest, smallest),
    )


def _tiny(facts: Sequence[PictureFacts]) -> Problem | None:
    return _by_shape(
        facts,
        "tiny objects",
        f"objects are under {TINY:g} pixels on their shorter side: less than a network's first stride sees.",
        lambda wide, tall: np.minimum(wide, tall) < TINY,
    )


def _long(facts: Sequence[PictureFacts]) -> Problem | None:
    return _by_shape(
        facts,
        "very long objects",
        f"objects are more than {ALONG:g} times as long as wide: no usual anchor has such a shape.",
        lambda wide, tall: np.maximum(wide, tall) > ALONG * np.minimum(wide, tall),
    )


def _by_shape(facts: Sequence[PictureFacts], name: str, sentence: str, strange: Strange) -> Problem | None:
    where, count = [], 0
    for fact in facts:
        if fact.objects is None or len(fact.objects) == 0:
            continue
        boxes = fact.objects.boxes
        found = strange(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1])
        where += [f"{fact.where}: {_shown(box)}" for box in boxes[found].tolist()]
        count += int(found.sum())
    return _problem(name, f"{count} {sentence}", where) if count else None


def _shown(box: Sequence[float]) -> str:
    x1, y1, x2, y2 = box
    return f"{x2 - x1:g} x {y2 - y1:g} at x {x1:g}, y {y1:g}"
