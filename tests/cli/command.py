"""The command `osler` as a person runs it: in this process (quick), or in one of its own (the real thing)."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from osler.cli.app import main

SMALL = ("data.limit=60", "epochs=1", "model=convnet", "model.options={widths: [8, 16], depth: 1}", "augment=none")


@dataclass(frozen=True)
class Said:
    """What a command printed, and its exit status."""

    status: int
    out: str
    err: str

    def refusal(self) -> str:
        """The one clear message of a command that was refused: no traceback, nothing else on standard error."""
        assert self.status == 2, self
        assert self.err.startswith("osler: "), self
        assert "Traceback" not in self.err + self.out
        return self.err.removeprefix("osler: ").rstrip("\n")


class Osler:
    """Runs commands in a folder of their own, on a terminal of 80 columns."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self.monkeypatch, self.capsys = folder, monkeypatch, capsys
        monkeypatch.chdir(folder)
        monkeypatch.setenv("COLUMNS", "80")

    def __call__(self, *words: str | Path) -> Said:
        """In this process: `main` with these words."""
        self.monkeypatch.setattr(sys, "argv", ["osler", *map(str, words)])
        self.capsys.readouterr()
        try:
            main()
            status = 0
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
        out, err = self.capsys.readouterr()
        return Said(status, out, err)

    def outside(self, *words: str | Path) -> Said:
        """In a process of its own, through the installed command."""
        command = Path(sys.executable).with_name("osler")
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        done = subprocess.run(
            [command, *map(str, words)], cwd=self.folder, env=environment, capture_output=True, text=True, timeout=120
        )
        return Said(done.returncode, done.stdout, done.stderr)

    def left(self) -> list[str]:
        """What lies in the folder."""
        return sorted(p.name for p in self.folder.iterdir())
