"""The ward: how well the doctor does on scripts that are known to be sick, mended or healthy.

    python benchmarks/ward.py ../shared/doctor/ward [--only NAME ...] [--jobs 2] [--keep FOLDER]

Each script is run by `osler doctor` in a process of its own, and plainly beside it for the cost. Prints a line a script,
the misses by name, and the table of the scoring page: detected (the verdict is sick), named (one of the first two
findings is right), located (that finding's line, within 2, or its layer is right), false alarms, cost. With --keep,
answers are kept in a folder, and scripts that have one there are not run again.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LINES_OFF = 2
LOOKED_AT = 2


@dataclass(frozen=True)
class Outcome:
    """A script, what the doctor said of it, and how long it took with and without."""

    name: str
    kind: str  # sick, cured or clean
    label: dict[str, Any]
    answer: dict[str, Any]
    seconds: float
    plain_seconds: float

    @property
    def sick(self) -> bool:
        """The verdict."""
        return bool(self.answer["verdict"] == "sick")

    @property
    def right(self) -> dict[str, Any] | None:
        """The finding that names the fault, among the first that count."""
        counted = [f for f in self.answer["findings"] if f["severity"] != "note"][:LOOKED_AT]
        wanted = {*self.label["faults"], *self.label["also_right"]}
        hits = [f for f in counted if f["fault"] in wanted]
        return next((f for f in hits if self._is_at(f["where"])), hits[0] if hits else None)

    @property
    def located(self) -> bool:
        """Whether that finding is where the fault is."""
        return self.right is not None and self._is_at(self.right["where"])

    def _is_at(self, where: dict[str, Any]) -> bool:
        line = where.get("line")
        near = line is not None and any(abs(line - wanted) <= LINES_OFF for wanted in self.label["lines"])
        return near or where.get("layer") in self.label["layers"]


def examine(script: Path, label: dict[str, Any], keep: Path) -> Outcome:
    """The doctor's answer for a script, from `keep` where it is there."""
    kept = keep / f"{script.stem}.json"
    if not kept.exists():
        answer = keep / f"{script.stem}.answer.json"
        plain = _run([sys.executable, script.name], script.parent)
        osler = Path(sys.executable).with_name("osler")
        watched = _run([str(osler), "doctor", script.name, "--json", str(answer), "--quiet"], script.parent)
        if not answer.exists():
            raise SystemExit(f"{script.name}: osler doctor gave no answer")
        kept.write_text(json.dumps({"answer": json.loads(answer.read_text()), "seconds": watched, "plain": plain}))
        answer.unlink()
    content = json.loads(kept.read_text())
    kind = script.stem.rpartition(".")[2]
    return Outcome(script.stem, kind, label, content["answer"], content["seconds"], content["plain"])


def _run(command: list[str], folder: Path) -> float:
    began = time.perf_counter()
    environment = {**os.environ, "WARD_DATA": os.environ.get("WARD_DATA", str(folder.resolve().parents[1] / "data"))}
    subprocess.run(command, cwd=folder, capture_output=True, env=environment, check=False)
    return time.perf_counter() - began


def told(outcome: Outcome) -> str:
    """A line: the mark, the script, what was expected, what was said."""
    said = [f"{f['fault']} ({f['severity'][0]}) {f['where'].get('line', '')}" for f in outcome.answer["findings"][:4]]
    if outcome.kind == "sick":
        mark = "located" if outcome.located else "named" if outcome.right else "sick" if outcome.sick else "MISSED"
        return f"{mark:8} {outcome.name:38} {', '.join(outcome.label['faults'])} <- {'; '.join(said) or 'nothing'}"
    return f"{'FALSE' if outcome.sick else 'silent':8} {outcome.name:38} {'; '.join(said)}"


def table(outcomes: list[Outcome]) -> str:
    """The table of the scoring page."""
    sick = [o for o in outcomes if o.kind == "sick"]
    well = [o for o in outcomes if o.kind != "sick"]
    clean = [o.seconds / o.plain_seconds for o in outcomes if o.kind == "clean"]
    rows = [
        ("detected", _share(sum(o.sick for o in sick), len(sick)), "95 %"),
        ("named", _share(sum(o.right is not None for o in sick), len(sick)), "85 %"),
        ("located", _share(sum(o.located for o in sick), len(sick)), "85 %"),
        ("false alarms", _share(sum(o.sick for o in well), len(well)), "at most 2 %"),
        ("cost, clean scripts", f"{statistics.median(clean):.2f}" if clean else "none run", "at most 1.25"),
    ]
    return "\n".join(f"| {name} | {figure} | {bar} |" for name, figure, bar in [("", "measured", "bar"), ("---",) * 3, *rows])


def _share(part: int, whole: int) -> str:
    return f"{part} of {whole} ({100 * part / whole:.0f} %)" if whole else "none run"


def main() -> None:
    """Reads the words, runs the scripts, prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ward", type=Path)
    parser.add_argument("--only", nargs="+", default=[], help="scripts whose names begin so")
    parser.add_argument("--jobs", type=int, default=1, help="scripts at a time; the cost is fair with 1 only")
    parser.add_argument("--keep", type=Path, default=None)
    words = parser.parse_args()
    labels = json.loads((words.ward / "labels.json").read_text())
    scripts = sorted(p for p in words.ward.glob("*.py") if not words.only or p.stem.startswith(tuple(words.only)))
    with tempfile.TemporaryDirectory() as scratch, ThreadPoolExecutor(words.jobs) as pool:
        keep = (words.keep or Path(scratch)).resolve()
        keep.mkdir(parents=True, exist_ok=True)
        outcomes = []
        for outcome in pool.map(lambda s: examine(s, labels[s.stem.rpartition(".")[0]], keep), scripts):
            outcomes.append(outcome)
            print(told(outcome), flush=True)
    print("\n" + table(outcomes))


if __name__ == "__main__":
    main()
