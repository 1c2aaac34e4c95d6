"""How many trials run at once: as cores and memory allow."""

import os
import sys
from pathlib import Path

MOST = 4
SPARE = 1.3  # a trial's memory as a multiple of what this process has used at most


def workers() -> int:
    """How many trials may run side by side: 1 or more, never more than the cores that this process may use."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    used, free = _largest_use(), _free_memory()
    fitting = int(free / (SPARE * used)) if used and free else usable
    return max(1, min(MOST, usable, fitting))


def threads(at_once: int) -> int | None:
    """How many threads each of several trials gets; None, as many as it likes, where it is alone."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return None if at_once == 1 else max(1, usable // at_once)


def _largest_use() -> int:
    """Bytes that this process, which ran the script, has held at most; 0 where it cannot be told."""
    try:
        import resource
    except ImportError:  # Windows
        return 0
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def _free_memory() -> int:
    """Bytes that new programs can have; 0 where it cannot be told."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")), 0)
