"""The ward: how well the doctor does on scripts that are known to be sick, mended or healthy.

    python benchmarks/ward.py ../shared/doctor/ward [--only NAME ...] [--jobs 2] [--keep FOLDER] [--prove]

Each script is run by `osler doctor` in a process of its own, and plainly beside it for the cost. Prints a line a script,
the misses by name, and the table of the scoring page: detected (the verdict is sick), named (one of the first two
findings is right), located (that finding's line, within 2, or its layer is right), false alarms, cost. With --keep,
answers are kept in a folder, and scripts that have one there are not run again.

With --prove the remedies are tried as well: mended is a script whose patch, applied and run by itself, closes at least
half of the gap between the sick script's figure and the cured one's. Scripts whose own figure is falsely good have no
such gap, and are counted apart.
"""

import argparse
import json
import math
import os
import re
import shutil
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
    mended_figure: float | None = None  # of the patched script

    @property
    def mended(self) -> bool | None:
        """Whether the patch closes half of the gap; None where the label knows no gap."""
        sick, cured = self.label.get("sick"), self.label.get("cured")
        if cured is None:
            return None
        if self.mended_figure is None or not math.isfinite(self.mended_figure):
            return False
        if sick is None or not math.isfinite(sick):  # a figure that was NaN: any that is near the cured one will do
            return abs(self.mended_figure - cured) <= max(abs(cured), 1.0)
        return (self.mended_figure - sick) / (cured - sick) >= 0.5

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


def examine(script: Path, label: dict[str, Any], keep: Path, prove: bool) -> Outcome:
    """The doctor's answer for a script, from `keep` where it is there."""
    kept = keep / f"{script.stem}.json"
    if not kept.exists():
        answer = keep / f"{script.stem}.answer.json"
        plain = _run([sys.executable, script.name], script.parent)
        osler = Path(sys.executable).with_name("osler")
        words = ["--prove"] if prove else []
        watched = _run([str(osler), "doctor", script.name, "--json", str(answer), "--quiet", *words], script.parent)
        if not answer.exists():
            raise SystemExit(f"{script.name}: osler doctor gave no answer")
        kept.write_text(json.dumps({"answer": json.loads(answer.read_text()), "seconds": watched, "plain": plain}))
        answer.unlink()
    content = json.loads(kept.read_text())
    kind = script.stem.rpartition(".")[2]
    if prove and content["answer"].get("patch") and kind == "sick" and "figure" not in content:
        content["figure"] = figure_when_patched(script, content["answer"]["patch"], label)
        kept.write_text(json.dumps(content))
    return Outcome(
        script.stem, kind, label, content["answer"], content["seconds"], content["plain"], content.get("figure")
    )


def figure_when_patched(script: Path, patch: str, label: dict[str, Any]) -> float | None:
    """The label's figure of the script with the patch applied, run by itself; None where that fails."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / script.name
        shutil.copy2(script, place)
        applied = subprocess.run(["patch", str(place)], input=patch, text=True, capture_output=True, check=False)
        if applied.returncode:
            return None
        measure = label["measure"]
        code = "import runpy, sys\ndel sys.argv[0]\nnames = runpy.run_path(sys.argv[0], run_name='__main__')\n"
        code += f"print('FIGURE', eval({measure['expr']!r}, names))" if "expr" in measure else ""
        environment = {
            **os.environ,
            "WARD_DATA": os.environ.get("WARD_DATA", str(script.resolve().parents[2] / "data")),
        }
        command = [sys.executable, "-c", code, str(place)]
        ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, env=environment, check=False)
        found = re.findall(r"FIGURE (\S+)" if "expr" in measure else measure["rx"], ran.stdout, re.MULTILINE)
        return float(found[-1]) if found and ran.returncode == 0 else None


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
        mark += {True: ", mended", False: "", None: ""}[outcome.mended]
        return f"{mark:16} {outcome.name:38} {', '.join(outcome.label['faults'])} <- {'; '.join(said) or 'nothing'}"
    if outcome.answer.get("patch"):
        said.append("PATCHED")
    return f"{'FALSE' if outcome.sick else 'silent':16} {outcome.name:38} {'; '.join(said)}"


def table(outcomes: list[Outcome], prove: bool = False) -> str:
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
    if prove:
        judged = [o for o in sick if o.mended is not None]
        rows.append(("mended", _share(sum(bool(o.mended) for o in judged), len(judged)), "75 %"))
        rows.append(("patched without need", _share(sum(bool(o.answer.get("patch")) for o in well), len(well)), "none"))
        times = [o.seconds / o.plain_seconds for o in sick]
        rows.append(("time of a proof, largest", f"{max(times):.1f} times" if times else "none run", "at most 10"))
    return "\n".join(
        f"| {name} | {figure} | {bar} |" for name, figure, bar in [("", "measured", "bar"), ("---",) * 3, *rows]
    )


def _share(part: int, whole: int) -> str:
    return f"{part} of {whole} ({100 * part / whole:.0f} %)" if whole else "none run"


def main() -> None:
    """Reads the words, runs the scripts, prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ward", type=Path)
    parser.add_argument("--only", nargs="+", default=[], help="scripts whose names begin so")
    parser.add_argument("--jobs", type=int, default=1, help="scripts at a time; the cost is fair with 1 only")
    parser.add_argument("--keep", type=Path, default=None)
    parser.add_argument("--prove", action="store_true", help="try the remedies as well")
    words = parser.parse_args()
    labels = json.loads((words.ward / "labels.json").read_text())
    scripts = sorted(p for p in words.ward.glob("*.py") if not words.only or p.stem.startswith(tuple(words.only)))
    with tempfile.TemporaryDirectory() as scratch, ThreadPoolExecutor(words.jobs) as pool:
        keep = (words.keep or Path(scratch)).resolve()
        keep.mkdir(parents=True, exist_ok=True)
        outcomes = []
        for outcome in pool.map(lambda s: examine(s, labels[s.stem.rpartition(".")[0]], keep, words.prove), scripts):
            outcomes.append(outcome)
            print(told(outcome), flush=True)
    print("\n" + table(outcomes, words.prove))


if __name__ == "__main__":
    main()
