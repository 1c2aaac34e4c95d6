"""A script run, tried and diagnosed, from its file to its findings."""

from collections.abc import Sequence
from pathlib import Path

from osler.doctor.script_run import ScriptRun, run_script
from osler.structures.finding import Diagnosis


def examine_script(
    path: str | Path, arguments: Sequence[str] = (), *, budget: float | None = None
) -> tuple[Diagnosis, ScriptRun]:
    """Runs a script under the watch, tries its networks afterwards, and lets every check look.

    Args:
        path: the script; it is not changed.
        arguments: what stands behind it on the command line.
        budget: seconds after which it is stopped; None lets it come to its end.

    Raises:
        OSError: the file cannot be read.
    """
    run = run_script(path, arguments, budget=budget)
    if run.watch is not None:
        from osler.doctor.probes import probe

        probe(run.watch)
    from osler.doctor.diagnosing import diagnose

    return diagnose(run.evidence), run
