"""Runs that one process and two should agree on: started by test_two_processes.py.

python two_processes.py FOLDER                                                (one process)
python -m torch.distributed.run --nproc-per-node 2 two_processes.py FOLDER    (two)
"""

import json
import sys
from pathlib import Path
from unittest.mock import patch

import torch
from torch import nn

import osler

torch.set_num_threads(1)
PLAIN = ["train.precision=float32", "train.schedule=constant", "train.epochs=2"]
# Neither the set nor its remainder of 5 divides among two processes: they share it 3 to 2.
MOMENTUM = ["data.limit=1005", "train.batch_size=40", "train.optimizer=momentum", "train.lr=0.05", "train.clip_norm=1"]
LBFGS = ["data.limit=103", "train.batch_size=52", "train.optimizer=lbfgs"]
LBFGS += ["train.optimizer_options={max_iter: 4, line_search_fn: strong_wolfe}"]
NORM = ["data.limit=85", "train.batch_size=40", "train.optimizer=sgd", "train.lr=0.05", "train.ema=0.5"]


class Looks(osler.Observer):
    """What each process has: its running statistics when an epoch is judged, the draws that come next when it stops."""

    def __init__(self, place: Path) -> None:
        self.place, self.statistics = place, []

    def epoch_ended(self, training, epoch):
        with training.shipped() as model:
            self.statistics.append(torch.cat([b.flatten().float() for b in model.buffers()]).tolist())

    def stopped(self, training):
        seen = {"statistics": self.statistics, "drawn": float(torch.rand(())), "epochs": training.position.epoch}
        self.place.with_name(f"{self.place.name}-{training.engine.rank}.json").write_text(json.dumps(seen))


def network(*between: nn.Module) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 48), *between, nn.ReLU(), nn.Linear(48, 10))


def main(folder: Path) -> None:
    """Plain runs with momentum and with L-BFGS, and one with batch norm and dropout that goes on after its end."""
    folder.mkdir(exist_ok=True)
    for name, words in {"momentum": MOMENTUM, "lbfgs": LBFGS}.items():
        osler.train(model=network(), out=folder / name, overrides=[*PLAIN, *words], quiet=True)
    noisy = network(nn.BatchNorm1d(48), nn.Dropout(0.5))
    looks = Looks(folder / "seen")
    osler.train(model=noisy, out=folder / "norm", overrides=[*PLAIN, *NORM], observers=[looks], quiet=True)
    looks = Looks(folder / "resumed")
    osler.resume_run(folder / "norm", model=noisy, overrides=["train.epochs=3"], observers=[looks], quiet=True)


if __name__ == "__main__":
    with patch("osler.verbs.finishing.write_report"):  # drawing takes longer than all the trainings
        main(Path(sys.argv[1]))
