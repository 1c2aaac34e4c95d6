"""The reports that several tests look at, written once a session and only when asked for."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import report_content as contents

from osler.reports.page import write_report


class Pages(Mapping[str, Path]):
    """The page of each case, by its name."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __getitem__(self, case: str) -> Path:
        page = self.folder / case / "report.html"
        return page if page.exists() else write_report(contents.CASES[case](), self.folder / case)

    def __iter__(self) -> Iterator[str]:
        return iter(contents.CASES)

    def __len__(self) -> int:
        return len(contents.CASES)


@pytest.fixture(scope="session")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Pages:
    return Pages(tmp_path_factory.mktemp("reports"))
