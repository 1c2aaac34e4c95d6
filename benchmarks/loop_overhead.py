"""What the loop itself costs: Osler's update against a bare loop, on a small MLP, in one process, alternating.

    python benchmarks/loop_overhead.py [--updates 2000] [--rounds 7]

Both take the same pre-built batches, optimiser and precision. Osler's has its progress bar and its recorder on. The bare loop
is what one would write by hand with nothing else: zero_grad, forward, loss, backward, step.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from torch import nn

from osler.structures.batch import Batch
from osler.training.building import build_training
from osler.training.loop import fit
from osler.training.progress import ProgressBar
from osler.training.recipe_file import read_recipe
from osler.training.recorder import Recorder
from osler.training.run_folder import RunFolder
from osler.verbs.preparing import Wishes

BATCH, INPUTS, HIDDEN, CLASSES = 16, 64, 32, 10


def mlp() -> nn.Module:
    """Three linear layers."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(INPUTS, HIDDEN),
        nn.ReLU(),
        nn.Linear(HIDDEN, HIDDEN),
        nn.ReLU(),
        nn.Linear(HIDDEN, CLASSES),
    )


class SameBatches:
    """A loader that hands out batches made beforehand: both loops then read data at no cost."""

    batch_size, workers, skipped = BATCH, 0, ()

    def __init__(self, batches: list[Batch]) -> None:
        self.batches = batches

    def __len__(self) -> int:
        return len(self.batches)

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """The batches from number `start` on."""
        yield from self.batches[start:]


def made_batches(count: int) -> list[Batch]:
    torch.manual_seed(1)
    pictures = torch.randn(count, BATCH, 1, 8, 8)
    labels = torch.randint(0, CLASSES, (count, BATCH))
    return [Batch(p, t, torch.arange(BATCH)) for p, t in zip(pictures, labels, strict=True)]


def clock() -> float:
    """Seconds of processor time: with one thread the same as the wall's, and deaf to who else uses the machine."""
    return time.process_time()


def bare(batches: list[Batch]) -> float:
    """Microseconds an update of a loop written by hand."""
    model, loss_of = mlp().train(), nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    began = clock()
    for batch in batches:
        optimizer.zero_grad()
        loss = loss_of(model(batch.images), batch.target)
        loss.backward()
        optimizer.step()
    return (clock() - began) / len(batches) * 1e6


def ours(batches: list[Batch], folder: Path) -> float:
    """Microseconds an update of Osler's loop with progress bar and recorder, the doctor off."""
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 256, (BATCH, 8, 8, 1), dtype=np.uint8)
    wishes = Wishes(data=(pictures, np.arange(BATCH) % CLASSES), model=mlp())
    words = ["train.epochs=1", "train.optimizer=momentum", "train.schedule=constant", "train.weight_decay=0"]
    words += ["data.validation=0", "train.precision=float32", "data.augment.preset=none"]
    resolved = read_recipe(None, words)
    training, _ = build_training(resolved, wishes.source(resolved), wishes.given)
    training.train_loader = SameBatches(batches)  # type: ignore[assignment]
    training.validation_loader = None
    folder.mkdir(parents=True, exist_ok=True)
    store = RunFolder(folder).store()
    bar = ProgressBar(Console(file=open(folder / "screen", "w"), force_terminal=True))  # noqa: SIM115
    began = clock()
    fit(training, [Recorder(store), bar])
    spent = clock() - began
    store.close()
    return spent / len(batches) * 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--updates", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    batches = made_batches(arguments.updates)
    rows = []
    with tempfile.TemporaryDirectory() as place:
        for number in range(arguments.rounds + 1):
            rows.append((bare(batches), ours(batches, Path(place) / str(number))))
    rows = rows[1:]  # the first round warms up
    ratios = [b / a for a, b in rows]
    print(f"bare loop  {statistics.median(a for a, _ in rows):7.1f} us an update")
    print(f"osler      {statistics.median(b for _, b in rows):7.1f} us an update, progress bar and recorder on")
    spread = f"{min(ratios):.3f} to {max(ratios):.3f} over {len(ratios)} rounds"
    print(f"ratio      {statistics.median(ratios):7.3f}   ({spread}; wanted: at most 1.4)")


if __name__ == "__main__":
    main()
