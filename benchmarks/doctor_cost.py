"""What the doctor costs in a long training: ResNet-18 with and without it, in turns, in one process.

    python benchmarks/doctor_cost.py [--updates 20] [--rounds 6] [--batch 64] [--side 64]

Rounds without and with it take turns on the same network; the doctor's own count of updates goes on from round to round
as in one training, dense looks at the start included, of which a longer training has a smaller share. Prints the ratio of
the seconds of all rounds, the median ratio, and how much memory the doctor's first looks add to the peak.
"""

import argparse
import resource
import statistics
import time

import torch
from torch import nn

from osler.models.registry import create_model
from osler.vitals.watch import Watch


def rounds(words: argparse.Namespace) -> tuple[list[float], list[float]]:
    """Seconds an update took, without and with the doctor, round by round in turns."""
    torch.manual_seed(0)
    images, labels = torch.randn(words.batch, 3, words.side, words.side), torch.randint(10, (words.batch,))
    model = create_model("resnet18", num_classes=10)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    train(model, optimizer, images, labels, 3)
    before = _peak()
    watch = Watch()
    watch.know(model, optimizer)
    plain, watched = [], []
    for _ in range(words.rounds):
        plain.append(train(model, optimizer, images, labels, words.updates))
        watch.install()
        watched.append(train(model, optimizer, images, labels, words.updates))
        watch.uninstall()
    print(f"peak of memory {before:.0f} MB without, {_peak():.0f} MB with: {_peak() / before:.3f} (bar: at most 1.05)")
    return plain, watched


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def train(
    model: nn.Module, optimizer: torch.optim.Optimizer, images: torch.Tensor, labels: torch.Tensor, updates: int
) -> float:
    """Seconds an update takes."""
    began = time.perf_counter()
    for _ in range(updates):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(images), labels).backward()
        optimizer.step()
    return (time.perf_counter() - began) / updates


def main() -> None:
    """Reads the words, measures, prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--updates", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--side", type=int, default=64)
    plain, watched = rounds(parser.parse_args())
    ratios = [w / p for w, p in zip(watched, plain, strict=True)]
    print("ratios round by round: " + ", ".join(f"{ratio:.3f}" for ratio in ratios))
    print(f"ratio over all {sum(watched) / sum(plain):.3f}, median {statistics.median(ratios):.3f} (bar: at most 1.03)")


if __name__ == "__main__":
    main()
