"""Builds .venv for this checkout: `make setup`. Plain Python, so that it can tell an old one what is wrong.

Steps: an environment (an unusable one is made anew), torch, then Osler with its tools in the versions of
constraints.txt. The stamp that tells make "done" is removed first and written last, so that an interrupted setup is
never taken for a finished one.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys

OLDEST = (3, 11)
ROOT = pathlib.Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
STAMP = VENV / ".osler-setup"
CPU_INDEX = "https://download.pytorch.org/whl/cpu"


def too_old(version):
    """A sentence when this Python is too old, else None."""
    if tuple(version[:2]) >= OLDEST:
        return None
    needed, here = (".".join(map(str, v[:2])) for v in (OLDEST, version))
    return f"Osler needs Python {needed} or newer; {sys.executable} is {here}. Name another: make PYTHON=python3.12 ..."


def python():
    """The environment's own Python."""
    return VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def works():
    """Whether the environment has a Python of an age that will do, and pip."""
    test = f"import sys, pip; sys.exit(sys.version_info < {OLDEST})"
    try:
        return subprocess.run([str(python()), "-c", test], stderr=subprocess.DEVNULL).returncode == 0
    except OSError:
        return False


def make_environment():
    """An empty environment in place of one that does not work."""
    print(f"Making .venv with {sys.executable}", flush=True)
    made = subprocess.run([sys.executable, "-m", "venv", "--clear", str(VENV)])
    if made.returncode or not works():
        shutil.rmtree(str(VENV), ignore_errors=True)
        sys.exit("The environment .venv could not be made. On Debian and Ubuntu: apt-get install python3-venv")


def pip(*arguments, quiet=False):
    """Whether `pip install` with these arguments succeeds."""
    command = [str(python()), "-m", "pip", "install", "--disable-pip-version-check", "--no-input", *arguments]
    out = subprocess.DEVNULL if quiet else None
    return subprocess.run(command, cwd=str(ROOT), stdout=out, stderr=out).returncode == 0


def torch_version():
    """The version of torch that constraints.txt asks for."""
    return re.search(r"^torch==(\S+)$", (ROOT / "constraints.txt").read_text(encoding="utf-8"), re.MULTILINE).group(1)


def has_torch(version):
    """Whether that version is installed already, whatever its build."""
    test = "from importlib.metadata import version; print(version('torch').split('+')[0])"
    found = subprocess.run([str(python()), "-c", test], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    return found.stdout.decode().strip() == version


def install_torch():
    """Torch by itself: on Linux without an NVIDIA card the build without CUDA, which saves gigabytes."""
    version = torch_version()
    if has_torch(version):
        return
    print(f"Installing torch {version}", flush=True)
    if sys.platform == "linux" and not os.path.exists("/dev/nvidiactl"):
        small = f"torch=={version}+cpu"
        if pip(small, quiet=True) or pip(small, "--extra-index-url", CPU_INDEX, "--timeout", "20", "--retries", "1"):
            return
        print("The build without CUDA cannot be had here; the usual one follows, some gigabytes.", flush=True)
    if not pip(f"torch=={version}"):
        sys.exit(f"torch {version} could not be installed; pip says why above. Run make setup again.")


def main():
    """Builds the environment, or says in a sentence why it cannot."""
    problem = too_old(sys.version_info)
    if problem:
        sys.exit(problem)
    if STAMP.exists():
        STAMP.unlink()
    if not works():
        make_environment()
    install_torch()
    print("Installing Osler and its tools", flush=True)
    if not pip("-qq", "-c", "constraints.txt", "-e", ".[dev]"):
        sys.exit("Osler's dependencies could not be installed; pip says why above. Run make setup again.")
    STAMP.write_text("Made by tools/set_up.py; make looks at its age.\n", encoding="utf-8")


if __name__ == "__main__":
    main()
