"""A diagnosis that was kept as JSON, read again."""

import json
from pathlib import Path
from typing import Any

from osler.structures.finding import Diagnosis, Finding, Remedy, Skipped, Where

ANSWER, PAGE = "doctor.json", "doctor.html"


def kept_diagnosis(folder: Path) -> Diagnosis | None:
    """The diagnosis in a run's folder; None where the run was not watched."""
    path = folder / ANSWER
    if not path.exists():
        return None
    content = json.loads(path.read_text(encoding="utf-8"))
    return Diagnosis(
        content["script"],
        [_finding(each) for each in content["findings"]],
        [Skipped(each["fault"], each["reason"]) for each in content.get("skipped", [])],
        content.get("ending", "finished"),
        content.get("story", []),
        content.get("patch"),
    )


def _finding(content: dict[str, Any]) -> Finding:
    where = content.get("where", {})
    return Finding(
        content["fault"],
        content["severity"],
        content["evidence"],
        Where(where.get("file"), where.get("line"), where.get("layer")),
        tuple(Remedy(r["remedy"], r["change"]) for r in content.get("remedies", [])),
        content.get("certainty", 0.8),
        (),
        tuple(_finding(each) for each in content.get("consequences", [])),
    )
