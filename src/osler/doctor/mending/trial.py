"""A script, remedied or not, run in a process of its own and a folder of its own, and judged by its figures.

    python -m osler.doctor.mending.trial ROOT SCRIPT ANSWER SECONDS [ARGUMENTS ...]

runs a script under the watch and writes its figures; `run_trial` calls that.
"""

import json
import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from osler.doctor.mending.scratch import keep_out_of, root_of, scratch_beside

if TYPE_CHECKING:
    from osler.structures.finding import Diagnosis
    from osler.vitals.evidence import Evidence

ERROR_KEPT = 400  # characters of what a process said that ended without an answer


@dataclass(frozen=True, slots=True)
class Trial:
    """How a run ended, and its figures by name: value, and whether more is better."""

    ending: str  # finished, exited, crashed, budget, interrupted; "late": stopped from outside, without figures
    error: str
    steps: int
    seconds: float
    figures: dict[str, tuple[float, bool]] = field(default_factory=dict)
    faults: tuple[str, ...] = ()  # that the doctor still finds, consequences among them, notes left out
    seen: bytes = b""  # evidence and diagnosis, for `evidence`

    def evidence(self) -> "tuple[Evidence, Diagnosis] | None":
        """What the watch saw and the doctor found; None where the run came to no answer."""
        return pickle.loads(self.seen) if self.seen else None


@dataclass(frozen=True, slots=True)
class Terms:
    """How trials of one script are run."""

    script: Path
    arguments: Sequence[str]
    limit: float  # seconds of wall-clock, after which it is ended from outside
    budget: float | None = None  # seconds after which the script is ended in order, with its figures; None: none
    threads: int | None = None  # for each trial, where several run side by side


class Processes:
    """The trials that run now, so that Ctrl-C can end them all."""

    def __init__(self) -> None:
        self._running: set[subprocess.Popen[bytes]] = set()
        self.ended = False

    def run(self, command: list[str], place: Path, errors: Path, terms: Terms) -> bool:
        """Runs a command to its end; False where it took too long or was ended."""
        with errors.open("wb") as said:
            process = subprocess.Popen(
                command,
                cwd=place,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=said,
                env=_environment(terms),
                start_new_session=True,
            )
        self._running.add(process)
        try:
            process.wait(terms.limit if not self.ended else 0)
        except subprocess.TimeoutExpired:
            return False
        finally:
            _end(process)
            self._running.discard(process)
        return not self.ended

    def end(self) -> None:
        """Ends all that run, with their own processes, and lets none begin."""
        self.ended = True
        for process in list(self._running):
            _end(process)


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Ends a process and those that it started, such as loader workers."""
    with suppress(ProcessLookupError, PermissionError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    process.wait()


def run_trial(source: str, terms: Terms, processes: Processes) -> Trial:
    """Runs `source` in the place of the script; never raises for what the script does."""
    root = root_of(terms.script)
    began = time.perf_counter()
    with scratch_beside(root) as place:
        name = terms.script.resolve().relative_to(root)
        script = place / name
        script.unlink(missing_ok=True)
        script.write_text(source, encoding="utf-8")
        answer, errors = place / ".osler-answer", place / ".osler-errors"
        seconds = "" if terms.budget is None else str(terms.budget)
        module = "osler.doctor.mending.trial"
        command = [sys.executable, "-m", module, str(root), str(name), str(answer), seconds, *terms.arguments]
        finished = processes.run(command, place, errors, terms)
        took = time.perf_counter() - began
        if not answer.exists():
            said = errors.read_text(encoding="utf-8", errors="replace").strip()[-ERROR_KEPT:].rpartition("\n")[2]
            return Trial("crashed", said or "it ended without an answer", 0, took) if finished else _late(took)
        content = json.loads(answer.read_text(encoding="utf-8"))
        seen = answer.with_suffix(".seen").read_bytes()
    figures = {name: (value, higher) for name, (value, higher) in content.pop("figures").items()}
    return Trial(**{**content, "figures": figures, "faults": tuple(content["faults"]), "seen": seen})


def _late(seconds: float) -> Trial:
    return Trial("late", "it took too long", 0, seconds)


def _environment(terms: Terms) -> dict[str, str]:
    threads = {} if terms.threads is None else {"OMP_NUM_THREADS": str(terms.threads)}
    return {**threads, **os.environ, "OSLER_TRIAL": "1"}


def main(words: Sequence[str]) -> None:
    """Runs the script that is named, and writes its figures."""
    root, script, answer, seconds, *arguments = words
    keep_out_of(Path(root), Path.cwd())
    from osler.doctor.script_run import run_script

    run = run_script(script, arguments, budget=float(seconds) if seconds else None)
    from osler.doctor.diagnosing import diagnose
    from osler.doctor.mending.headline import headlines
    from osler.doctor.probes import probe

    if run.watch is not None:
        probe(run.watch)
    evidence = run.evidence
    diagnosis = diagnose(evidence)
    counted = [f for f in diagnosis.findings if f.counts]
    content = {
        "ending": evidence.ending.how,
        "error": evidence.ending.error,
        "steps": evidence.steps,
        "seconds": evidence.seconds,
        "figures": {name: (h.value, h.higher_is_better) for name, h in headlines(evidence).items()},
        "faults": [*(f.fault for f in counted), *(c.fault for f in counted for c in f.consequences if c.counts)],
    }
    Path(answer).with_suffix(".seen").write_bytes(pickle.dumps((evidence, diagnosis)))
    Path(answer).write_text(json.dumps(content), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
