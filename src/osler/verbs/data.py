"""`osler data`: what a data set holds, and what is wrong with it."""

from pathlib import Path
from typing import Any

from osler.data.audit import DataAudit, audit
from osler.data.person import from_person
from osler.data.recipe import DataSection
from osler.data.source import DataSource


def describe_data(
    data: str | Path | DataSource | Any, *, section: DataSection | None = None, seed: int = 0
) -> DataAudit:
    """Looks at every picture: counts by part and class, sizes, channel statistics, and problems.

    Args:
        data: a folder, a CSV file, a known set's name, an opened DataSource, or your own data as `osler.train` takes
            it.
        section: how the data is to be read (format, columns); its `path` is taken from `data`.
        seed: of the division of data that is passed in Python.

    Raises:
        DataError: there is no data to look at. What is merely wrong with it is in the audit's `problems`.
    """
    section = section or DataSection.model_validate({})
    if isinstance(data, (str, Path)):
        return audit(section.model_copy(update={"path": str(data)}))
    return audit(data if isinstance(data, DataSource) else from_person(data, section, seed))
