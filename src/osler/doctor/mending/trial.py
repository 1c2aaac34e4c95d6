"""A script, remedied or not, run in a process of its own and a folder of its own, and judged by its figures.

    python -m osler.doctor.mending.trial SCRIPT ANSWER.json [ARGUMENTS ...]

runs a script under the watch and writes its figures; `run_trial` calls that.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

LARGEST_FOLDER = 64 * 2**20  # bytes of the script's folder that are copied; what is larger is linked


@dataclass(frozen=True, slots=True)
class Trial:
    """How a run ended, and its figures by name: value, and whether more is better."""

    ending: str
    error: str
    steps: int
    seconds: float
    figures: dict[str, tuple[float, bool]] = field(default_factory=dict)
    faults: tuple[str, ...] = ()  # that the doctor still finds, notes left out


@contextmanager
def scratch_beside(script: Path) -> Iterator[Path]:
    """A copy of the script's folder beside it, so that paths such as `../data` mean the same; removed at the end.

    Large files are links to the originals. Where nothing can be written beside it, the copy is in the system's place
    for such things.
    """
    folder = script.resolve().parent
    try:
        place = Path(tempfile.mkdtemp(prefix=".osler-trial-", dir=folder.parent))
    except OSError:
        place = Path(tempfile.mkdtemp(prefix="osler-trial-"))
    try:
        _copy(folder, place)
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _copy(folder: Path, place: Path) -> None:
    left = LARGEST_FOLDER
    for entry in sorted(folder.iterdir(), key=lambda e: (e.is_dir(), e.name)):
        if entry.name.startswith(".") or entry.name in ("__pycache__", "node_modules"):
            continue
        size = entry.stat().st_size if entry.is_file() else _folder_size(entry, left)
        if size <= left:
            left -= size
            shutil.copytree(entry, place / entry.name, symlinks=True) if entry.is_dir() else shutil.copy2(entry, place)
        else:
            (place / entry.name).symlink_to(entry)


def _folder_size(folder: Path, enough: int) -> int:
    total = 0
    for path in folder.rglob("*"):
        total += path.lstat().st_size
        if total > enough:
            break
    return total


def run_trial(source: str, script: Path, arguments: Sequence[str], limit: float) -> Trial:
    """Runs `source` in the place of the script, for at most `limit` seconds; never raises for what the script does."""
    with scratch_beside(script) as place:
        name = place / script.name
        name.write_text(source, encoding="utf-8")
        answer = place / ".osler-answer.json"
        command = [sys.executable, "-m", "osler.doctor.mending.trial", script.name, str(answer), *arguments]
        began = time.perf_counter()
        try:
            subprocess.run(
                command,
                cwd=place,
                capture_output=True,
                timeout=limit,
                check=False,
                stdin=subprocess.DEVNULL,
                env=_environment(),
            )
        except subprocess.TimeoutExpired:
            return Trial("budget", "it took too long", 0, time.perf_counter() - began)
        if not answer.exists():
            return Trial("crashed", "it ended without an answer", 0, time.perf_counter() - began)
        content = json.loads(answer.read_text(encoding="utf-8"))
    figures = {name: (value, higher) for name, (value, higher) in content.pop("figures").items()}
    return Trial(**{**content, "figures": figures, "faults": tuple(content["faults"])})


def _environment() -> dict[str, str]:
    return {**os.environ, "OSLER_TRIAL": "1"}


def main(words: Sequence[str]) -> None:
    """Runs the script that is named, and writes its figures."""
    script, answer, *arguments = words
    from osler.doctor.script_run import run_script

    run = run_script(script, arguments)
    from osler.doctor.diagnosing import diagnose
    from osler.doctor.mending.headline import headlines
    from osler.doctor.probes import probe

    if run.watch is not None:
        probe(run.watch)
    evidence = run.evidence
    diagnosis = diagnose(evidence)
    content = {
        "ending": evidence.ending.how,
        "error": evidence.ending.error,
        "steps": evidence.steps,
        "seconds": evidence.seconds,
        "figures": {name: (h.value, h.higher_is_better) for name, h in headlines(evidence).items()},
        "faults": [f.fault for f in diagnosis.findings if f.counts],
    }
    Path(answer).write_text(json.dumps(content), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
