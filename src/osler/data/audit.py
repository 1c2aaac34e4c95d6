"""What a data set holds and what is wrong with it: every picture decoded once."""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from os import cpu_count
from pathlib import Path

import numpy as np

from osler.data.audit_problems import Problem, find_problems
from osler.data.files import FileDataSet
from osler.data.objects.object_audit import ObjectAudit, audit_objects
from osler.data.objects.object_problems import object_problems
from osler.data.objects.object_set import ObjectDataSet
from osler.data.opening import read_parts
from osler.data.parts import Parts
from osler.data.picture_facts import PictureFacts, facts_of
from osler.data.ranges import Range as Range
from osler.data.ranges import range_of
from osler.data.recipe import DataSection
from osler.data.source import DataSet, DataSource, Skipped, TargetKind
from osler.data.statistics import ChannelSums
from osler.imaging.header import UnreadableError

EXACT_UP_TO = 20_000  # pictures; of more, evenly spaced ones give mean and spread


@dataclass(frozen=True, slots=True)
class DataAudit:
    """What was found. Counts are pictures; for numbers there is one row, for labels a picture counts for each of its
    labels.
    """

    name: str
    kind: TargetKind
    names: tuple[str, ...]
    counts: Mapping[str, Mapping[str, int]]  # part -> class or label -> pictures
    totals: Mapping[str, int]  # part -> pictures, the unreadable ones among them
    heights: Range | None  # pixels; None where no picture can be read
    widths: Range | None
    numbers: Mapping[str, Range]  # name -> range, where labels are numbers
    grey: int  # pictures without colour
    channels: int  # 1 where all are grey
    mean: tuple[float, ...]  # of each channel, pictures in [0, 1]; over training pictures
    std: tuple[float, ...]
    pictures_measured: int  # that mean and std are over
    unreadable: Sequence[Skipped] = ()
    problems: Sequence[Problem] = field(default_factory=list)
    notes: Sequence[str] = ()
    objects: ObjectAudit | None = None  # where the truth is objects with boxes

    def problem(self, name: str) -> Problem | None:
        """The problem of that name, where it was found."""
        return next((p for p in self.problems if p.name == name), None)


def audit(data: str | Path | DataSource | DataSection) -> DataAudit:
    """Looks at every picture of a data set.

    Args:
        data: a path or a known set's name, the `data` section of a recipe, or data that is open already.

    Raises:
        DataError: there is no data to look at. What is merely wrong with it is in the audit.
    """
    parts = _parts_of(data)
    facts: list[PictureFacts] = []
    unreadable = list(parts.skipped)
    sums = ChannelSums(3)
    stride = -(-len(parts.train) // EXACT_UP_TO)
    for name, dataset in parts.given().items():
        for index, found in enumerate(_look_at_all(dataset, name)):
            if isinstance(found, Skipped):
                unreadable.append(found)
                continue
            facts.append(found)
            if name == "train" and index % stride == 0:
                sums.add_moments(*found.moments)
    return _summary(parts, facts, unreadable, sums)


def _parts_of(data: str | Path | DataSource | DataSection) -> Parts:
    if isinstance(data, DataSource):
        validation = data.validation if len(data.validation) else None
        return Parts(
            data.name,
            data.kind,
            data.names,
            data.train,
            validation,
            data.test,
            skipped=list(data.skipped),
            notes=list(data.notes),
            faults=list(data.faults),
        )
    return read_parts(data if isinstance(data, DataSection) else DataSection.model_validate({"path": str(data)}))


def _look_at_all(dataset: DataSet, part: str) -> Iterator[PictureFacts | Skipped]:
    """The facts of each picture in order; files are decoded by as many threads as there are processors."""

    def look(index: int) -> PictureFacts | Skipped:
        try:
            return facts_of(dataset[index], part, dataset.targets[index])
        except UnreadableError as error:
            return Skipped(dataset.path(index), str(error))

    if not isinstance(dataset, FileDataSet):
        yield from map(look, range(len(dataset)))
        return
    indices = iter(range(len(dataset)))
    with ThreadPoolExecutor(cpu_count()) as pool:
        while piece := list(islice(indices, 1024)):  # not all at once: a million waiting pictures are a million objects
            yield from pool.map(look, piece)


def _summary(parts: Parts, facts: list[PictureFacts], unreadable: list[Skipped], sums: ChannelSums) -> DataAudit:
    counts = {name: _counts(dataset, parts) for name, dataset in parts.given().items()}
    objects = _objects(parts, facts)
    problems = [] if objects is None else object_problems(objects, facts, parts.faults)
    totals = {name: len(dataset) for name, dataset in parts.given().items()}
    grey = sum(f.grey for f in facts)
    channels = 1 if facts and grey == len(facts) else 3
    mean, std = sums.result()
    return DataAudit(
        parts.name, parts.kind, parts.names, counts, totals,
        heights=range_of([f.height for f in facts]),
        widths=range_of([f.width for f in facts]),
        numbers=_number_ranges(parts),
        grey=grey,
        channels=channels,
        mean=mean[:channels],
        std=std[:channels],
        pictures_measured=sums.pictures,
        unreadable=unreadable,
        problems=[*problems, *find_problems(parts, counts, facts, unreadable)],
        notes=tuple(parts.notes),
        objects=objects,
    )  # fmt: skip


def _objects(parts: Parts, facts: list[PictureFacts]) -> ObjectAudit | None:
    if parts.kind != "objects":
        return None
    masks = isinstance(parts.train, ObjectDataSet) and parts.train.has_masks
    return audit_objects(facts, list(parts.given()), parts.names, masks=masks)


def _counts(dataset: DataSet, parts: Parts) -> dict[str, int]:
    if parts.kind == "numbers":
        return {"pictures": len(dataset)}
    targets = dataset.targets
    counts = (
        np.bincount(targets, minlength=len(parts.names)) if parts.kind == "class" else targets.sum(0, dtype=np.int64)
    )
    return dict(zip(parts.names, counts.tolist(), strict=True))


def _number_ranges(parts: Parts) -> dict[str, Range]:
    if parts.kind != "numbers":
        return {}
    values = np.concatenate([dataset.targets for dataset in parts.given().values()])
    columns = zip(parts.names, values.T.tolist(), strict=True)
    return {name: found for name, column in columns if (found := range_of(column)) is not None}
