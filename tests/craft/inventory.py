"""The craft's inventory: its rows' identifiers and terms, read from where it lies beside the checkout."""

import re
from dataclasses import dataclass
from pathlib import Path

INVENTORY = Path(__file__).parents[3] / "shared" / "craft" / "INVENTORY.md"
GROUP = re.compile(r"^## (G\d\d) (.+)$")
ROW = re.compile(r"^\| ([A-Z]{2}\d{2}[a-z]?) \| ((?:[^|\\]|\\.)+?) \|")
IDENTIFIER = re.compile(r"[A-Z]{2}\d{2}[a-z]?")


@dataclass(frozen=True)
class Row:
    """One thing that the craft names."""

    identifier: str
    term: str
    group: str  # "G05 Regularisation ..."


def read_inventory(path: Path = INVENTORY) -> dict[str, Row]:
    """The rows by identifier, in order; empty where the inventory is not there.

    Raises:
        ValueError: an identifier occurs twice.
    """
    rows: dict[str, Row] = {}
    if not path.exists():
        return rows
    group = ""
    for line in path.read_text(encoding="utf-8").split("\n# 2. ")[0].splitlines():
        if heading := GROUP.match(line):
            group = f"{heading[1]} {heading[2]}"
        elif found := ROW.match(line):
            if found[1] in rows:
                raise ValueError(f"{path} has two rows {found[1]}.")
            rows[found[1]] = Row(found[1], found[2].strip(), group)
    return rows
