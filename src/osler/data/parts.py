"""What a format's reader gives: pictures and labels as they lie there, not yet divided by Osler."""

from dataclasses import dataclass, field

from osler.data.source import DataSet, ObjectFault, Skipped, TargetKind

SPLIT_NAMES = {
    "train": "train", "training": "train",
    "val": "validation", "valid": "validation", "validation": "validation",
    "test": "test", "testing": "test",
}  # fmt: skip
"""Under which names (in whatever case) people file the parts of a data set."""


@dataclass(slots=True)
class Parts:
    """A data set in the parts that its owner gave it. Names are of classes, labels or numbers."""

    name: str
    kind: TargetKind
    names: tuple[str, ...]
    train: DataSet
    validation: DataSet | None = None
    test: DataSet | None = None
    skipped: list[Skipped] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    faults: list[ObjectFault] = field(default_factory=list)  # of annotated objects
    one_way: bool = False  # what the pictures show has a right way round, as digits have: never mirrored

    def given(self) -> dict[str, DataSet]:
        """The parts that are there, by name."""
        parts = {"train": self.train, "validation": self.validation, "test": self.test}
        return {name: part for name, part in parts.items() if part is not None}
