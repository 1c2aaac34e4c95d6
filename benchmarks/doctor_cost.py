"""What the doctor costs in a long training: ResNet-18 with and without it.

    python benchmarks/doctor_cost.py [--updates 100] [--rounds 6] [--batch 64] [--side 64]

Time: rounds without and with it take turns on the same network in one process; the doctor's own count of updates goes on from
round to round as in one training, dense looks at the start included, of which a longer training has a smaller share.
Prints the ratio round by round and over all, on the clock and of the processor's own time, which other work on the machine
disturbs less. Memory: the peak of processes that train some updates with or without it, three of each in turns; the
first looks, which are the densest, are among them.
"""

import argparse
import resource
import statistics
import subprocess
import sys
import time

import torch
from torch import nn

from osler.models.registry import create_model

FIRST = 20  # updates in which memory is measured


class Task:
    """A network, its optimiser and one batch."""

    def __init__(self, batch: int, side: int) -> None:
        torch.manual_seed(0)
        self.images, self.labels = torch.randn(batch, 3, side, side), torch.randint(10, (batch,))
        self.model = create_model("resnet18", num_classes=10)
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.01, momentum=0.9)

    def train(self, updates: int) -> tuple[float, float]:
        """Seconds an update takes, on the clock and of the processor."""
        began, worked = time.perf_counter(), time.process_time()
        for _ in range(updates):
            self.optimizer.zero_grad()
            nn.functional.cross_entropy(self.model(self.images), self.labels).backward()
            self.optimizer.step()
        return (time.perf_counter() - began) / updates, (time.process_time() - worked) / updates


def compare_time(task: Task, rounds: int, updates: int) -> None:
    """Seconds of an update without and with the doctor, round by round in turns."""
    from osler.vitals.watch import Watch

    task.train(3)
    watch = Watch()
    watch.know(task.model, task.optimizer)
    plain, watched = [0.0, 0.0], [0.0, 0.0]  # on the clock, of the processor
    for number in range(rounds):
        without = task.train(updates)
        watch.install()
        within = task.train(updates)
        watch.uninstall()
        plain = [total + spent for total, spent in zip(plain, without, strict=True)]
        watched = [total + spent for total, spent in zip(watched, within, strict=True)]
        print(f"round {number + 1}: ratio {within[0] / without[0]:.3f}, {within[1] / without[1]:.3f}", flush=True)
    print(f"{rounds * updates} updates with it, {updates * watched[0]:.0f} s")
    overall = watched[0] / plain[0], watched[1] / plain[1]
    print(f"time: ratio over all {overall[0]:.3f} on the clock, {overall[1]:.3f} of the processor (bar: at most 1.03)")


def compare_memory(batch: int, side: int) -> None:
    """The peaks of processes of their own."""
    peaks: dict[str, list[float]] = {"plain": [], "watched": []}
    for _ in range(3):
        for kind, seen in peaks.items():
            command = [sys.executable, __file__, "--peak", kind, "--batch", str(batch), "--side", str(side)]
            seen.append(float(subprocess.run(command, capture_output=True, text=True, check=True).stdout))
    plain, watched = (statistics.median(peaks[kind]) for kind in ("plain", "watched"))
    spread = "; ".join(f"{kind} {', '.join(f'{p:.0f}' for p in seen)}" for kind, seen in peaks.items())
    print(
        f"memory: peak {plain:.0f} MB without, {watched:.0f} MB with: {watched / plain:.3f} (bar: at most 1.05)  [{spread}]"
    )


def peak(kind: str, task: Task) -> float:
    """Of this process after some updates, in MB."""
    if kind == "watched":
        from osler.vitals.watch import Watch

        watch = Watch()
        watch.know(task.model, task.optimizer)
        watch.install()
    task.train(FIRST)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Reads the words, measures, prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--updates", type=int, default=100, help="in a round")
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--side", type=int, default=64)
    parser.add_argument("--peak", choices=["plain", "watched"], help=argparse.SUPPRESS)
    words = parser.parse_args()
    if words.peak:
        print(peak(words.peak, Task(words.batch, words.side)))
        return
    compare_memory(words.batch, words.side)
    compare_time(Task(words.batch, words.side), words.rounds, words.updates)


if __name__ == "__main__":
    main()
