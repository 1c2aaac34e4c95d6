"""Two processes on one machine compute what one does with the same global batch."""

import os
import socket
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = str(Path(__file__).parent / "two_processes.py")


def run(command, folder):
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run([*command, SCRIPT, str(folder)], capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    with sqlite3.connect(folder / "run.db") as db:
        losses = [v for (v,) in db.execute("SELECT value FROM updates WHERE name='train.loss' ORDER BY number")]
        scores = dict(db.execute("SELECT name, value FROM epochs WHERE epoch=2 AND name LIKE 'validation.%'"))
        train = db.execute("SELECT value FROM epochs WHERE epoch=2 AND name='train.loss'").fetchone()[0]
    return losses, scores, train


def test_two_processes_equal_one(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    launcher = ["-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port", str(port)]
    one, scores_one, train_one = run([sys.executable], tmp_path / "one")
    two, scores_two, train_two = run([sys.executable, *launcher], tmp_path / "two")
    assert len(one) == len(two) == 50
    assert two == pytest.approx(one, abs=1e-5)
    assert train_two == pytest.approx(train_one, abs=1e-5)
    assert scores_one.keys() == scores_two.keys()
    scores_one.pop("validation.seconds", None)
    assert scores_two["validation.accuracy"] == scores_one["validation.accuracy"]
    assert scores_two["validation.loss"] == pytest.approx(scores_one["validation.loss"], abs=1e-5)
