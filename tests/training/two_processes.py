"""Fifty updates of a network without batch norm and dropout, and the scores of its validation: run by test_two_processes.py.

python two_processes.py FOLDER                                                (one process)
python -m torch.distributed.run --nproc-per-node 2 two_processes.py FOLDER    (two)
"""

import sys
from pathlib import Path

import torch
from torch import nn

import osler

torch.set_num_threads(1)
torch.manual_seed(0)
MODEL = nn.Sequential(nn.Flatten(), nn.Linear(64, 48), nn.ReLU(), nn.Linear(48, 10))
WORDS = [
    "data.limit=1000",
    "train.batch_size=40",
    "train.epochs=2",
    "train.precision=float32",
    "train.optimizer=momentum",
]
WORDS += ["train.lr=0.05", "train.schedule=constant", "train.clip_norm=1"]

if __name__ == "__main__":
    osler.train(model=MODEL, out=Path(sys.argv[1]), overrides=WORDS, quiet=True)
