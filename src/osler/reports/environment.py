"""On what a run was made: versions, processor, memory, accelerator, revision. Nothing names a person or a machine."""

import os
import platform
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

from osler.reports.measures import count

PACKAGES = {
    "PyTorch": "torch", "NumPy": "numpy", "OpenCV": "opencv-python-headless", "simplejpeg": "simplejpeg",
    "scikit-learn": "scikit-learn",
}  # fmt: skip


def environment() -> dict[str, str]:
    """What someone needs to repeat a run, as names and values. User names, host names, paths and variables stay out."""
    found = {"Osler": version_of("osler"), "Python": platform.python_version()}
    found |= {name: version_of(package) for name, package in PACKAGES.items()}
    found |= {
        "platform": f"{platform.system()} {platform.release()} ({platform.machine()})",
        "processor": processor(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "cores": f"{cores()} usable of {os.cpu_count()}, {count(torch.get_num_threads(), 'thread')} in PyTorch",
    }
    optional = {"memory": memory(), "accelerator": accelerator(), "revision": revision(Path.cwd())}
    return found | {name: value for name, value in optional.items() if value}


def version_of(package: str) -> str:
    """A package's version, or that it is not installed as one."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed as a package"


def processor() -> str:
    """The processor's name as its maker gives it, where the system tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def memory() -> str:
    """The machine's memory, where the system tells."""
    try:
        size = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return ""
    return f"{size / 2**30:.1f} GiB"


def accelerator() -> str:
    """The accelerators that PyTorch sees, with their memory."""
    if torch.cuda.is_available():
        parts = [torch.cuda.get_device_properties(i) for i in range(torch.cuda.device_count())]
        runtime = f"CUDA {torch.version.cuda}" if torch.version.cuda else f"ROCm {torch.version.hip}"
        return "; ".join(f"{p.name} ({p.total_memory / 2**30:.0f} GiB)" for p in parts) + f", {runtime}"
    return "Apple MPS" if torch.backends.mps.is_available() else "none"


def revision(folder: Path) -> str:
    """The git revision of `folder`, and whether it was changed since; empty outside a repository or without git."""
    head = git(folder, "rev-parse", "HEAD")
    if not head:
        return ""
    return head + (" with uncommitted changes" if git(folder, "status", "--porcelain", "--untracked-files=no") else "")


def git(folder: Path, *arguments: str) -> str:
    """What git prints, or nothing where it cannot answer."""
    try:
        done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()
