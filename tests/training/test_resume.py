"""A run that is killed, asked to stop, or runs out of disk goes on as if nothing had been."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from osler.training.recorder import TIMINGS

HERE = Path(__file__).parent
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1"}
COMMAND = [sys.executable, "-c", "from osler.cli.app import main; main()"]


def weights(folder):
    return torch.load(folder / "checkpoints" / "last.pt", weights_only=True)["state"]


def tables(folder):
    """The metric tables, without the clock's columns."""
    with sqlite3.connect(folder / "run.db") as db:
        epochs = db.execute("SELECT * FROM epochs ORDER BY epoch, name").fetchall()
        updates = db.execute("SELECT * FROM updates ORDER BY number, name").fetchall()
    return [row for row in epochs if row[1] not in TIMINGS], updates


def equal(one, other):
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(equal(one[k], other[k]) for k in one)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(equal, one, other))
    return one == other or (one != one and other != other)


def killed_run(folder, kills, seed):
    command = [sys.executable, str(HERE / "killed_training.py"), str(folder), str(kills), str(seed)]
    done = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, check=False)
    assert done.returncode == 0, done.stderr
    return tuple(map(int, done.stdout.split()))


def compare(tmp_path, kills):
    killed_run(tmp_path / "whole", 0, 0)
    killed, while_writing = killed_run(tmp_path / "killed", kills, 1)
    assert equal(weights(tmp_path / "whole"), weights(tmp_path / "killed"))
    assert tables(tmp_path / "whole") == tables(tmp_path / "killed")
    best = "checkpoints/best.safetensors"
    assert (tmp_path / "whole" / best).read_bytes() == (tmp_path / "killed" / best).read_bytes()
    return killed, while_writing


def test_killed_three_times_the_run_ends_as_if_it_had_not_been(tmp_path):
    killed, _ = compare(tmp_path, 3)
    assert killed == 3


@pytest.mark.slow
def test_killed_twenty_times_the_run_ends_as_if_it_had_not_been(tmp_path):
    killed, while_writing = compare(tmp_path, 20)
    assert killed >= 15
    assert while_writing >= 1


@pytest.mark.parametrize(("number", "name"), [(signal.SIGTERM, "SIGTERM"), (signal.SIGINT, "Ctrl-C")])
def test_asked_to_stop_it_writes_a_checkpoint_and_leaves_with_a_message(tmp_path, number, name):
    folder = tmp_path / "run"
    words = [
        "data.limit=200",
        "train.epochs=500",
        "model.name=convnet",
        "model.options.widths=[8]",
        "train.checkpoint_every=0",
    ]
    process = subprocess.Popen(
        [*COMMAND, "train", *words, "--out", str(folder)], stdout=subprocess.PIPE, text=True, env=ENVIRONMENT
    )
    deadline = time.monotonic() + 120
    while not (folder / "checkpoints" / "last.pt").exists():
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(number)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert f"by {name}" in said
    assert f"osler train --resume {folder}" in " ".join(said.split())
    position = weights(folder)["position"]
    assert 0 < position["update"] < 500 * 7
    recorded = [row for row in tables(folder)[1] if row[1] == "train.loss"]
    assert len(recorded) == position["update"]


def on_a_small_disk(tmp_path, megabytes):
    """A file system of a few megabytes, or a skip where it may not be made."""
    disk = tmp_path / "disk"
    disk.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(disk)], capture_output=True, check=False
    )
    if made.returncode:
        pytest.skip("a small file system needs root and tmpfs")
    return disk


def test_a_full_disk_leaves_the_last_checkpoint_whole_and_says_so(tmp_path):
    disk = on_a_small_disk(tmp_path, 12)
    try:
        folder = disk / "run"
        words = [
            "data.limit=200",
            "train.epochs=3",
            "model.name=convnet",
            "model.options.widths=[16]",
            "train.optimizer=adam",
        ]
        subprocess.run(
            [*COMMAND, "train", *words, "--out", str(folder)], check=True, capture_output=True, env=ENVIRONMENT
        )
        before = weights(folder)
        free = shutil.disk_usage(disk).free
        (disk / "ballast").write_bytes(bytes(max(0, free - 20_000)))
        again = [*COMMAND, "train", "--resume", str(folder), "train.epochs=9"]
        done = subprocess.run(again, check=False, capture_output=True, text=True, env=ENVIRONMENT)
        assert done.returncode == 2
        assert "Traceback" not in done.stderr
        assert "disk is full" in done.stderr
        assert equal(weights(folder), before)
        assert not list(folder.glob("checkpoints/.*.part"))
        (disk / "ballast").unlink()
        done = subprocess.run(again, check=False, capture_output=True, text=True, env=ENVIRONMENT)
        assert done.returncode == 0, done.stderr
        assert weights(folder)["position"]["epoch"] == 9
    finally:
        subprocess.run(["umount", str(disk)], check=True)
