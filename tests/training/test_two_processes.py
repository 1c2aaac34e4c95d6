"""Two processes on one machine compute what one does with the same global batch."""

import json
import os
import socket
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
import torch

SCRIPT = str(Path(__file__).parent / "two_processes.py")


def run(command, folder):
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run([*command, SCRIPT, str(folder)], capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    place = tmp_path_factory.mktemp("processes")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    launcher = ["-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port", str(port)]
    return run([sys.executable], place / "one"), run([sys.executable, *launcher], place / "two")


def numbers(folder):
    """Losses by update; the last epoch's scores and mean loss."""
    with sqlite3.connect(folder / "run.db") as db:
        losses = [v for (v,) in db.execute("SELECT value FROM updates WHERE name='train.loss' ORDER BY number")]
        scores = dict(db.execute("SELECT name, value FROM epochs WHERE epoch=2 AND name LIKE 'validation.%'"))
        train = db.execute("SELECT value FROM epochs WHERE epoch=2 AND name='train.loss'").fetchone()[0]
    return losses, scores, train


def seen(folder, name):
    return [json.loads((folder / f"{name}-{rank}.json").read_text()) for rank in (0, 1)]


@pytest.mark.parametrize(("name", "updates", "near"), [("momentum", 2 * 26, 1e-5), ("lbfgs", 2 * 2, 1e-4)])
def test_two_processes_equal_one_also_where_they_share_unevenly(folders, name, updates, near):
    one, scores_one, train_one = numbers(folders[0] / name)
    two, scores_two, train_two = numbers(folders[1] / name)
    assert len(one) == len(two) == updates
    assert two == pytest.approx(one, abs=near)
    assert train_two == pytest.approx(train_one, abs=near)
    assert scores_one.keys() == scores_two.keys()
    assert scores_two["validation.accuracy"] == scores_one["validation.accuracy"]
    assert scores_two["validation.loss"] == pytest.approx(scores_one["validation.loss"], abs=near)
    weights = [torch.load(f / name / "checkpoints" / "last.pt", weights_only=True)["state"]["model"] for f in folders]
    for key, value in weights[0].items():
        torch.testing.assert_close(weights[1][key], value, atol=10 * near, rtol=0)


@pytest.mark.parametrize("name", ["seen", "resumed"])
def test_all_processes_judge_one_network_and_drop_other_units(folders, name):
    first, second = seen(folders[1], name)
    assert first["epochs"] == second["epochs"] == {"seen": 2, "resumed": 3}[name]
    assert first["statistics"] == second["statistics"]
    assert first["statistics"][0] != [0.0] * 48 + [1.0] * 48 + [0.0]  # they have moved
    assert first["drawn"] != second["drawn"]
