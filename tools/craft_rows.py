"""Prints every row of the craft's inventory with its tests and whether they pass, and writes docs/craft.md.

`make craft` runs all tests that carry the craft marker, slow ones too. With `--results FILE` it runs none: outcomes are those that
`make test ARGS="--craft-json FILE"` wrote, and slow tests are listed as such. Without the inventory beside the checkout it
lists the rows that tests name, and leaves the page as it is. Its exit status is pytest's.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from craft.inventory import INVENTORY, Row, read_inventory  # noqa: E402

PAGE = ROOT / "docs" / "craft.md"
Results = dict[str, dict[str, str]]  # row to test to outcome


def run_tests(*words: str) -> tuple[int, Results]:
    """Pytest's exit status, and the outcome of each marked test by row."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "craft.json"
        # Collected by the marker itself: -m replaces the "not slow" of pyproject.toml.
        command = [sys.executable, "-m", "pytest", "-m", "craft", *words, "--craft-json", str(target)]
        status = subprocess.run(command, cwd=ROOT, check=False).returncode
        return status, json.loads(target.read_text(encoding="utf-8")) if target.exists() else {}


def from_file(path: Path) -> Results:
    """The outcomes of an earlier run, beside all marked tests."""
    collected, known = run_tests("--collect-only", "-q")[1], json.loads(path.read_text(encoding="utf-8"))
    return {row: tests | known.get(row, {}) for row, tests in collected.items()}


def state(tests: dict[str, str]) -> str:
    """Of a row: `-` without tests; failing when one fails; passing when one passes; else skipped, or slow and not run."""
    outcomes = set(tests.values())
    words = {"failed": "failing", "passed": "passing", "skipped": "skipped", "slow": "slow", "unknown": "not run"}
    return next((word for outcome, word in words.items() if outcome in outcomes), "-")


def in_groups(rows: dict[str, Row]) -> dict[str, list[Row]]:
    """The rows under the inventory's headings."""
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in rows.values():
        groups[row.group].append(row)
    return groups


def text(rows: dict[str, Row], results: Results) -> str:
    """For the terminal: a line a row, its tests below it."""
    lines = []
    for group, members in in_groups(rows).items():
        lines += ["", group]
        for row in members:
            tests = results.get(row.identifier, {})
            lines.append(f"  {row.identifier} {state(tests):8} {row.term}")
            lines += [f"       {outcome:8} {test}" for test, outcome in sorted(tests.items())]
    return "\n".join([*lines, "", counts(rows, results)])


def counts(rows: dict[str, Row], results: Results) -> str:
    """How many rows have tests, and how many of those pass."""
    states = [state(results.get(identifier, {})) for identifier in rows]
    shown = sum(s != "-" for s in states)
    return f"{len(rows)} rows: {shown} shown by tests, {states.count('passing')} passing."


def page(rows: dict[str, Row], results: Results) -> str:
    """For docs/craft.md: a table for the groups, then one for each group."""
    groups = in_groups(rows)
    lines = [
        "# The craft, row by row",
        "",
        "Written by `make craft`. A row is shown by tests that carry its identifier and assert what counts as working.",
        "",
        counts(rows, results),
        "",
        "| group | rows | shown | passing |",
        "| --- | ---: | ---: | ---: |",
    ]
    for group, members in groups.items():
        states = [state(results.get(row.identifier, {})) for row in members]
        lines.append(f"| {group} | {len(members)} | {sum(s != '-' for s in states)} | {states.count('passing')} |")
    for group, members in groups.items():
        lines += ["", f"## {group}", "", "| row | term | state | tests |", "| --- | --- | --- | --- |"]
        for row in members:
            tests = results.get(row.identifier, {})
            names = "<br>".join(f"`{test.removeprefix('tests/')}`" for test in sorted(tests))
            lines.append(f"| {row.identifier} | {row.term} | {state(tests)} | {names} |")
    return "\n".join(lines) + "\n"


def main() -> int:
    """Runs, prints, writes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--jobs", type=int, default=0, help="test processes; 0: one")
    parser.add_argument("--results", type=Path, help="outcomes of an earlier run, instead of running the tests")
    asked = parser.parse_args()
    status, results = (0, from_file(asked.results)) if asked.results else run_tests("-n", str(asked.jobs))
    rows = read_inventory()
    if not rows:
        rows = {i: Row(i, "", "Rows that tests name") for i in sorted(results)}
        print(text(rows, results))
        print(f"{INVENTORY} is not there: {PAGE.relative_to(ROOT)} was left as it is.")
        return status
    print(text(rows, results))
    PAGE.write_text(page(rows, results), encoding="utf-8")
    print(f"Written: {PAGE.relative_to(ROOT)}")
    return status


if __name__ == "__main__":
    sys.exit(main())
