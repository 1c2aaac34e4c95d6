"""What an audit finds wrong: each problem with a sentence and the places where it is."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from osler.data.parts import Parts
from osler.data.picture_facts import PictureFacts
from osler.data.source import Skipped

STRONG_IMBALANCE = 10  # times as many pictures in the largest class as in the smallest
EXTREME_SIZE = 8  # times as long as the median side
EXTREME_SHAPE = 5  # times as long as wide
TINY = 8  # pixels on the shorter side

Counts = Mapping[str, Mapping[str, int]]


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong with the data: a name, a sentence, and the pictures or classes concerned."""

    name: str
    message: str
    where: Sequence[str] = ()


def find_problems(parts: Parts, counts: Counts, facts: list[PictureFacts], unreadable: list[Skipped]) -> list[Problem]:
    """All problems, the ones that falsify results first."""
    twins = _twins(facts)
    found = [_crossing(twins), _conflicting(twins), _unreadable(unreadable), _blank(facts), _repeated(twins)]
    if parts.kind == "class":
        found += _class_problems(counts["train"])
        found.append(_missing_in(counts, "validation"))
        found.append(_missing_in(counts, "test"))
    elif parts.kind == "labels":
        found.append(_constant_labels(parts))
    found.append(_extreme(facts))
    return [problem for problem in found if problem is not None]


def _twins(facts: list[PictureFacts]) -> list[list[PictureFacts]]:
    """Groups of pictures whose pixels are equal. Blank pictures are a problem of their own."""
    groups = defaultdict(list)
    for fact in facts:
        if not fact.blank:
            groups[fact.content].append(fact)
    return [group for group in groups.values() if len(group) > 1]


def _crossing(twins: list[list[PictureFacts]]) -> Problem | None:
    groups = [g for g in twins if len({f.part for f in g}) > 1]
    if not groups:
        return None
    return Problem(
        "duplicates across parts",
        f"{len(groups)} pictures are in more than one part: what is measured on validation or test is partly "
        "known from training. "
        "Remove them from one part.",
        _named(groups),
    )


def _conflicting(twins: list[list[PictureFacts]]) -> Problem | None:
    groups = [g for g in twins if len({f.answer for f in g}) > 1]
    if not groups:
        return None
    return Problem(
        "conflicting labels",
        f"{len(groups)} pictures are there more than once with different labels. One of them is wrong.",
        _named(groups),
    )


def _repeated(twins: list[list[PictureFacts]]) -> Problem | None:
    groups = [same for g in twins for same in _by_part(g) if len(same) > 1]
    if not groups:
        return None
    extra = sum(len(g) - 1 for g in groups)
    return Problem("duplicates", f"{extra} pictures repeat another of the same part, pixel for pixel.", _named(groups))


def _by_part(group: list[PictureFacts]) -> Iterator[list[PictureFacts]]:
    for part in dict.fromkeys(f.part for f in group):
        yield [f for f in group if f.part == part]


def _named(groups: list[list[PictureFacts]]) -> tuple[str, ...]:
    return tuple(" = ".join(f.where for f in group) for group in groups)


def _unreadable(unreadable: list[Skipped]) -> Problem | None:
    if not unreadable:
        return None
    return Problem(
        "unreadable",
        f"{len(unreadable)} pictures cannot be read and are left out.",
        tuple(f"{s.path}: {s.reason}" for s in unreadable),
    )


def _blank(facts: list[PictureFacts]) -> Problem | None:
    blank = tuple(f.where for f in facts if f.blank)
    return Problem("blank", f"{len(blank)} pictures are of one colour all over.", blank) if blank else None


def _class_problems(train: Mapping[str, int]) -> list[Problem | None]:
    present = {name: count for name, count in train.items() if count}
    if len(present) == 1:
        (only,) = present
        return [
            Problem(
                "one class", f"All training pictures are of one class, {only}: there is nothing to tell apart.", (only,)
            )
        ]
    single = tuple(name for name, count in present.items() if count == 1)
    found: list[Problem | None] = []
    if single:
        found.append(
            Problem(
                "single pictures", f"{len(single)} classes have one training picture: they cannot be validated.", single
            )
        )
    smallest, largest = min(present, key=present.__getitem__), max(present, key=present.__getitem__)
    ratio = present[largest] / present[smallest]
    if ratio >= STRONG_IMBALANCE:
        found.append(
            Problem(
                "imbalance",
                f"{largest} has {present[largest]} training pictures and {smallest} {present[smallest]}: "
                f"{ratio:.0f} times as many. "
                "Consider data.sampler=balanced or task.class_weights=balanced, and judge by figures per class.",
                (largest, smallest),
            )
        )
    return found


def _missing_in(counts: Counts, part: str) -> Problem | None:
    missing = tuple(name for name, count in counts.get(part, {}).items() if count == 0 and counts["train"][name])
    return (
        Problem(f"missing in {part}", f"{len(missing)} classes have no {part} picture.", missing) if missing else None
    )


def _constant_labels(parts: Parts) -> Problem | None:
    share = parts.train.targets.mean(0)
    constant = tuple(parts.names[i] for i in np.flatnonzero((share == 0) | (share == 1)))
    return (
        Problem("constant labels", f"{len(constant)} labels are on all training pictures or on none.", constant)
        if constant
        else None
    )


def _extreme(facts: list[PictureFacts]) -> Problem | None:
    """Pictures so small, large or long that a network sees little of them."""
    if not facts:
        return None
    typical = float(np.median([max(f.height, f.width) for f in facts]))

    def strange(f: PictureFacts) -> bool:
        long, short = max(f.height, f.width), min(f.height, f.width)
        return (
            short < min(TINY, typical)
            or long > EXTREME_SIZE * typical
            or long * EXTREME_SIZE < typical
            or long > EXTREME_SHAPE * short
        )

    extreme = tuple(f"{f.where} ({f.height}x{f.width})" for f in facts if strange(f))
    if not extreme:
        return None
    return Problem(
        "extreme sizes", f"{len(extreme)} pictures are very small, large or long beside the others.", extreme
    )
