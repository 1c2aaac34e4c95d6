"""From parts as their owner filed them to a DataSource: checked, divided where they are not, looked at."""

import numpy as np

from osler.data.appearance import look
from osler.data.arrays import ArrayDataSet
from osler.data.files import FileDataSet
from osler.data.parts import Parts
from osler.data.recipe import DataSection
from osler.data.source import DataSet, DataSource
from osler.data.splitting import fold_of_each, hold_out, sample_rows
from osler.structures.errors import DataError, RecipeError


def assemble(parts: Parts, section: DataSection, seed: int) -> DataSource:
    """A DataSource with a training, a validation and, where there is one, a test set.

    A test set that is given stays as it is. `section.test` and `section.validation` hold out shares where none is
    given; `section.folds` and `section.fold` make the validation set one fold of the training pictures; `section.limit`
    then thins the training pictures alone.

    Raises:
        DataError: there are too few pictures to divide, or none of those that were tried can be read.
        RecipeError: the section asks for an impossible division.
    """
    notes = list(parts.notes)
    train, test = parts.train, parts.test
    if test is None and section.test > 0:
        train, test = _hold_out(train, section.test, seed, "test", notes)
    train, validation = _validation(train, parts, section, seed, notes)
    if section.limit and section.limit < len(train):
        notes.append(f"{section.limit} of {len(train)} training pictures are used (data.limit), by seed {seed}.")
        train = train.select(sample_rows(train.targets, section.limit, seed))
    notes += _rare_classes(parts, train)
    source = DataSource(
        parts.name,
        parts.kind,
        parts.names,
        train,
        validation,
        test,
        skipped=parts.skipped,
        notes=notes,
        faults=parts.faults,
        one_way=parts.one_way,
    )
    return _with_appearance(source)


def refuse_unlearnable(parts: Parts) -> None:
    """Refuses what nothing can be learnt from.

    Raises:
        DataError: there are fewer than two training pictures, or they are all of one class.
    """
    train = parts.train
    if len(train) < 2:
        raise DataError(f"{parts.name} has {len(train)} training picture(s); training needs two or more.")
    if parts.kind == "class" and len(np.unique(train.targets)) == 1:
        only = parts.names[int(train.targets[0])]
        raise DataError(
            f"{parts.name} has one class only, {only!r}: there is nothing to tell apart. Put the pictures of "
            "each class into a "
            "folder of its own, two or more; if the classes lie one folder deeper, give that folder's path."
        )


def _hold_out(train: DataSet, share: float, seed: int, what: str, notes: list[str]) -> tuple[DataSet, DataSet]:
    kept, held = hold_out(train.targets, share, seed)
    if len(held) == 0:
        raise DataError(
            f"{len(train)} pictures are too few to hold any out for {what}: every class has one picture. Add "
            f"pictures, or set data.{what}=0."
        )
    notes.append(f"{len(held)} of {len(train)} training pictures are held out for {what}, stratified, by seed {seed}.")
    return train.select(kept), train.select(held)


def _validation(
    train: DataSet, parts: Parts, section: DataSection, seed: int, notes: list[str]
) -> tuple[DataSet, DataSet]:
    if section.folds:
        return _fold(train, parts, section, seed, notes)
    if parts.validation is not None:
        return train, parts.validation
    if section.validation == 0:
        notes.append("No pictures are held out for validation (data.validation=0).")
        return train, train.select(np.arange(0))
    return _hold_out(train, section.validation, seed, "validation", notes)


def _fold(train: DataSet, parts: Parts, section: DataSection, seed: int, notes: list[str]) -> tuple[DataSet, DataSet]:
    folds, fold = section.folds, section.fold
    if parts.validation is not None:
        raise RecipeError(
            f"data.folds={folds}: {parts.name} brings validation pictures of its own. Set data.folds=0 to use "
            "them, or move them to the training pictures."
        )
    if not 2 <= folds <= len(train) or fold >= folds:
        raise RecipeError(
            f"data.folds={folds}, data.fold={fold}: folds must be 2 to {len(train)} (the training pictures), "
            "and fold 0 to folds - 1."
        )
    membership = fold_of_each(train.targets, folds, seed)
    validating, training = np.flatnonzero(membership == fold), np.flatnonzero(membership != fold)
    if len(validating) == 0:
        raise DataError(
            f"data.folds={folds}: fold {fold} has no pictures; {parts.name} has too few of each class. Use fewer folds."
        )
    notes.append(
        f"Fold {fold} of {folds} validates: {len(validating)} of {len(train)} pictures, stratified, by seed {seed}."
    )
    return train.select(training), train.select(validating)


def _rare_classes(parts: Parts, train: DataSet) -> list[str]:
    """A note for the classes that have one picture, which is never validated, and for those that have none."""
    if parts.kind == "numbers":
        return []
    given, used = (_counts(t, parts) for t in (parts.train.targets, train.targets))
    single = [name for name, count in zip(parts.names, given, strict=True) if count == 1]
    absent = [name for name, count in zip(parts.names, used, strict=True) if count == 0]
    notes = []
    if single and parts.validation is None:
        notes.append(f"One picture only of {', '.join(single)}: it is in training only.")
    if absent:
        notes.append(f"No training picture of {', '.join(absent)}.")
    return notes


def _counts(targets: np.ndarray, parts: Parts) -> np.ndarray:
    return np.bincount(targets, minlength=len(parts.names)) if parts.kind == "class" else targets.sum(0)


def _with_appearance(source: DataSource) -> DataSource:
    seen = look(source.train)
    if seen is None:
        raise DataError(
            f"None of the pictures of {source.name} that were tried can be read, e.g. {source.train.path(0)}. "
            "osler data names them."
        )
    source.channels, source.typical_size, source.uniform = seen.channels, seen.typical_size, seen.uniform
    parts = [part for part in (source.train, source.validation, source.test) if part is not None]
    files = [part for part in parts if isinstance(part, FileDataSet)]
    source.in_memory = all(isinstance(part, ArrayDataSet) for part in parts)
    if files and seen.channels == 1:
        source.notes = [*source.notes, f"The pictures are grey ({seen.seen} looked at) and are read with one channel."]
    for part in files:
        part.channels = seen.channels
    return source
