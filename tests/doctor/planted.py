"""Programs with a planted fault, run as a person's script would be, and what the doctor says of them."""

import tempfile
import textwrap
from pathlib import Path

from osler.doctor.examining import examine_script
from osler.structures.finding import Diagnosis, Finding

HEAD = """
import torch
from torch import nn
import torch.nn.functional as F
torch.manual_seed(0)
"""


def diagnose_code(source: str, *, head: str = HEAD) -> Diagnosis:
    """The diagnosis of a program of a few lines; `head` (imports and a seed) is put before it."""
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "program.py"
        script.write_text(head.strip() + "\n" + textwrap.dedent(source))
        return examine_script(script)[0]


def found(diagnosis: Diagnosis, fault: str) -> Finding | None:
    """The finding of that fault, also where it is folded under its cause; notes do not count."""
    waiting = list(diagnosis.findings)
    while waiting:
        finding = waiting.pop(0)
        if finding.fault == fault and finding.counts:
            return finding
        waiting += finding.consequences
    return None


def line_of(source: str, text: str, *, head: str = HEAD) -> int:
    """The line of the program in which `text` stands first."""
    lines = (head.strip() + "\n" + textwrap.dedent(source)).splitlines()
    return next(number for number, line in enumerate(lines, 1) if text in line)
