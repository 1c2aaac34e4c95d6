"""A pytest plugin for `@pytest.mark.craft("OP14", ...)`: refuses unknown rows, and writes what became of the tests.

`pytest --craft-json FILE` writes {identifier: {test: outcome}}; outcomes are passed, failed and skipped. A parametrised
test counts as one, and has failed when any of its cases has. With `--collect-only` nothing runs, and all are `slow` or
`unknown`.
"""

import json
from pathlib import Path

import pytest

from craft.inventory import IDENTIFIER, read_inventory

WORST_LAST = ["unknown", "slow", "skipped", "passed", "failed"]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds `--craft-json`."""
    parser.addoption("--craft-json", metavar="FILE", help="write which rows of the craft's inventory the tests show")


def pytest_configure(config: pytest.Config) -> None:
    """Records outcomes where they are asked for; under xdist in the process that hears of all tests."""
    target = config.getoption("--craft-json")
    if target and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Outcomes(Path(target)))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Checks the identifiers, and hangs them on the test's report, which also travels between processes."""
    rows = read_inventory()
    for item in items:
        for identifier in identifiers(item):
            known = identifier in rows if rows else IDENTIFIER.fullmatch(identifier)
            if not known:
                raise pytest.UsageError(f"{item.nodeid}: the inventory has no row {identifier!r} for its craft marker.")
            item.user_properties.append(("craft", identifier))


def identifiers(item: pytest.Item) -> list[str]:
    """The rows that a test says it shows."""
    return [str(identifier) for mark in item.iter_markers("craft") for identifier in mark.args]


class Outcomes:
    """What became of the tests of each row."""

    def __init__(self, target: Path) -> None:
        self.target = target
        self.rows: dict[str, dict[str, str]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Notes the outcome of a call, and of a setup or teardown that did not pass."""
        if report.when != "call" and report.outcome == "passed":
            return
        rows = [str(identifier) for key, identifier in report.user_properties if key == "craft"]
        self._note(rows, report.nodeid, report.outcome)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Notes the tests themselves where none of them will run."""
        if session.config.option.collectonly:
            for item in session.items:
                slow = item.get_closest_marker("slow") is not None
                self._note(identifiers(item), item.nodeid, "slow" if slow else "unknown")

    def _note(self, rows: list[str], nodeid: str, outcome: str) -> None:
        test = nodeid.split("[")[0]
        for identifier in rows:
            before = self.rows.setdefault(identifier, {}).get(test, "unknown")
            self.rows[identifier][test] = max(before, outcome, key=WORST_LAST.index)

    def pytest_sessionfinish(self) -> None:
        """Writes the file."""
        self.target.write_text(json.dumps(self.rows, indent=1), encoding="utf-8")
