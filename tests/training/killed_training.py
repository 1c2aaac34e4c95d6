"""Trains in child processes that are killed at random moments, until the run is done: run by test_resume.py.

    python killed_training.py FOLDER KILLS SEED

Forked after the imports, so that a child is at work within a moment. Prints how many children were killed, and how many of them
while a checkpoint was being written.
"""

import os
import random
import shutil
import signal
import sys
import time
from pathlib import Path

import torch

import osler
import osler.verbs.train
from osler.data.opening import open_data
from osler.data.recipe import DataSection
from osler.reports.page import write_report

WORDS = ["data.limit=240", "train.epochs=12", "train.checkpoint_every=1", "train.optimizer=adam", "train.ema=0.9"]
WORDS += ["model.name=convnet", "model.options.widths=[8,16]", "model.options.depth=1", "model.options.dropout=0.3"]
WORDS += ["data.augment.mixup=0.2", "train.workers=0"]


def train(folder: Path) -> None:
    """The run from its start, or from its last checkpoint."""
    torch.set_num_threads(1)
    if (folder / "checkpoints" / "last.pt").exists():
        osler.resume_run(folder, quiet=True)
        return
    shutil.rmtree(folder, ignore_errors=True)  # killed before its first checkpoint
    osler.train(out=folder, overrides=WORDS, quiet=True)


def child(folder: Path) -> int:
    """A process that trains; its number."""
    pid = os.fork()
    if pid == 0:
        try:
            train(folder)
        except BaseException as error:
            print(repr(error), file=sys.stderr, flush=True)
            os._exit(1)
        os._exit(0)
    return pid


def parts(folder: Path) -> set[Path]:
    """What is being written into the checkpoints' folder."""
    return set(folder.glob("checkpoints/.*.part"))


def writes(folder: Path, pid: int) -> bool:
    """Whether a process is in the middle of a checkpoint (or died in it)."""
    return any(f".{pid}." in part.name for part in parts(folder))


def let_run(folder: Path, pid: int, kill: int, chance: random.Random) -> None:
    """Lets a child run until its moment: every fifth somewhere in its start, two in the middle of a checkpoint, two anywhere."""
    if kill % 5 == 0:
        time.sleep(chance.uniform(0.05, 1.0))
        return
    deadline = time.monotonic() + 60
    while not writes(folder, pid) and time.monotonic() < deadline and os.path.exists(f"/proc/{pid}/exe"):
        time.sleep(0.0002)
    if kill % 5 > 2:
        time.sleep(chance.uniform(0, 0.5))


def main() -> None:
    """Kills children until enough died, then lets the last one finish."""
    open_data(DataSection(), 0)  # imported and read before the first fork, as is what draws the report
    assert callable(write_report)
    folder, kills, seed = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    chance, killed, while_writing = random.Random(seed), 0, 0
    while killed < kills:
        pid = child(folder)
        let_run(folder, pid, killed, chance)
        os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        if os.WIFEXITED(status):
            assert os.WEXITSTATUS(status) == 0, "a child failed by itself"
            break  # the run is done before all kills were spent
        killed += 1
        while_writing += writes(folder, pid)
    pid = child(folder)
    _, status = os.waitpid(pid, 0)
    assert os.WIFEXITED(status)
    assert os.WEXITSTATUS(status) == 0
    print(f"{killed} {while_writing}")


if __name__ == "__main__":
    main()
