"""Importing Osler is light and silent: no heavy library, no file, no connection, no word."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {"torch", "numpy", "cv2", "pydantic", "sklearn", "matplotlib", "skimage", "lightning_fabric"}
HELP = "import sys; from osler.cli.app import main; sys.argv = ['osler', *{words!r}]; main()"

# Tells on standard error of every file opened for writing, folder made and connection opened.
WATCHED = """
import os, sys

def tell(event, arguments):
    if event == "open" and isinstance(arguments[0], (str, bytes)) and os.fsdecode(arguments[0]) != os.devnull:
        if isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            print("WROTE", arguments[0], file=sys.stderr)
    elif event in ("os.mkdir", "os.rename", "socket.connect", "socket.bind", "socket.getaddrinfo", "socket.sendto"):
        print("DID", event, arguments, file=sys.stderr)

sys.addaudithook(tell)
"""


def run(code: str, folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """A fresh Python in an empty folder that is also the home."""
    environment = {k: v for k, v in os.environ.items() if k in ("PATH", "LANG", "LD_LIBRARY_PATH", "SYSTEMROOT")}
    environment |= {"HOME": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, *options, "-c", code]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def imported(importtime: str) -> set[str]:
    """The top-level packages in the report of `python -X importtime`."""
    return {
        line.rsplit("|", 1)[1].strip().split(".")[0]
        for line in importtime.splitlines()
        if line.startswith("import time:")
    }


@pytest.mark.parametrize("code", ["import osler", HELP.format(words=["--help"])], ids=["import osler", "osler --help"])
def test_nothing_heavy_is_imported(code: str, tmp_path: Path) -> None:
    result = run(code, tmp_path, "-X", "importtime")
    assert result.returncode == 0, result.stderr[-2000:]
    names = imported(result.stderr)
    assert "osler" in names
    assert sorted(names & HEAVY) == []


def test_help_names_the_verbs(tmp_path: Path) -> None:
    result = run(HELP.format(words=["--help"]), tmp_path)
    for verb in ("train", "evaluate", "predict", "data"):
        assert verb in result.stdout


@pytest.mark.parametrize(
    "code",
    ["import osler", "import osler\nfor name in osler.__all__: getattr(osler, name)"],
    ids=["import", "every public name"],
)
def test_importing_writes_nothing_connects_to_nothing_prints_nothing(code: str, tmp_path: Path) -> None:
    result = run(WATCHED + code, tmp_path)
    assert result.returncode == 0, result.stderr
    assert result.stdout == ""
    assert result.stderr == ""
    assert list(tmp_path.iterdir()) == []


def test_the_watch_would_tell(tmp_path: Path) -> None:
    connect = "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).connect(('127.0.0.1', 9))"
    result = run(f"{WATCHED}\nimport socket\nopen('x', 'w').close()\n{connect}", tmp_path)
    assert "WROTE x" in result.stderr
    assert "DID socket.connect" in result.stderr
