"""Training speed: Osler against the plain loop that most people write, ResNet-18 at 128x128, in one process, alternating.

    python benchmarks/train_throughput.py                  speed: pictures a second, and the ratio
    python benchmarks/train_throughput.py --accuracy       the accuracy of both after the same epochs, over three seeds

The plain loop: eager, float32, contiguous, `loss.item()` every step, AdamW. Osler's: what it chooses by itself (on processors with
bfloat16: autocast, channels-last), progress bar and recorder on. Pictures are real ones: scikit-image's and scikit-learn's bundled
photographs, cut into crops; their class is the photograph they come from.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn

import osler
from osler.models.registry import create_model
from osler.training.engine import processor_has_bfloat16
from osler.training.observer import Observer
from osler.training.state import Training

SIZE, BATCH = 128, 32
PHOTOGRAPHS = ("astronaut", "chelsea", "coffee", "rocket", "immunohistochemistry", "retina", "hubble_deep_field")


def crops(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Random square parts of bundled photographs, 128x128 bytes, and which photograph each is from."""
    import cv2
    from skimage import data

    rng = np.random.default_rng(seed)
    sheets = []
    for name in PHOTOGRAPHS:
        try:
            sheets.append(np.ascontiguousarray(getattr(data, name)()[..., :3]))
        except Exception:  # some are downloaded on first use, which a machine without a network cannot
            continue
    pictures, labels = [], rng.integers(0, len(sheets), count)
    for label in labels:
        sheet = sheets[label]
        side = int(rng.integers(SIZE // 2, min(sheet.shape[:2]) // 2))
        top, left = (int(rng.integers(0, length - side)) for length in sheet.shape[:2])
        pictures.append(
            cv2.resize(sheet[top : top + side, left : left + side], (SIZE, SIZE), interpolation=cv2.INTER_AREA)
        )
    return np.stack(pictures), labels.astype(np.int64)


def plain_epochs(train: tuple, epochs: int, seed: int) -> tuple[nn.Module, list[float]]:
    """The loop that most people write; the seconds of each epoch."""
    torch.manual_seed(seed)
    model = create_model("resnet18", num_classes=int(train[1].max()) + 1)
    mean, std = _statistics(train[0])
    pictures, labels = torch.from_numpy(train[0]), torch.from_numpy(train[1])
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs * (len(labels) // BATCH))
    criterion, seconds = nn.CrossEntropyLoss(), []
    for _ in range(epochs):
        model.train()
        began = time.perf_counter()
        order = torch.randperm(len(labels))
        for start in range(0, len(labels) - BATCH + 1, BATCH):
            rows = order[start : start + BATCH]
            images = (pictures[rows].permute(0, 3, 1, 2).contiguous().float() / 255 - mean) / std
            optimizer.zero_grad()
            loss = criterion(model(images), labels[rows])
            loss.backward()
            optimizer.step()
            schedule.step()
            loss.item()
        seconds.append(time.perf_counter() - began)
    return model, seconds


def _statistics(pictures: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
    values = pictures.reshape(-1, 3) / 255
    return tuple(torch.tensor(v, dtype=torch.float32).view(1, 3, 1, 1) for v in (values.mean(0), values.std(0)))


class Seconds(Observer):
    """The training seconds of each epoch, as the loop measures them."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def epoch_ended(self, training: Training, epoch: object) -> None:
        """Keeps them."""
        self.seconds.append(epoch.seconds)  # type: ignore[attr-defined]


def our_epochs(train: tuple, epochs: int, seed: int, test: tuple | None = None) -> tuple[float, list[float]]:
    """The same by Osler; the accuracy on `test` and the seconds of each epoch."""
    watch = Seconds()
    with tempfile.TemporaryDirectory() as place:
        words = [f"train.batch_size={BATCH}", "augment=none", f"seed={seed}", "train.lr=0.001", "data.validation=0"]
        words += ["train.optimizer=adamw", f"train.epochs={epochs}", "data.labels=class"]
        data = {"train": train} | ({"test": test} if test is not None else {})
        run = osler.train(
            data=data, model="resnet18", out=Path(place) / "run", observers=[watch], overrides=words, quiet=True
        )
        return run.metrics.get("accuracy", float("nan")), watch.seconds


@torch.inference_mode()
def accuracy(model: nn.Module, train: tuple, test: tuple) -> float:
    model.eval()
    mean, std = _statistics(train[0])
    images = (torch.from_numpy(test[0]).permute(0, 3, 1, 2).float() / 255 - mean) / std
    answers = torch.cat([model(part).argmax(1) for part in images.split(64)])
    return float((answers == torch.from_numpy(test[1])).float().mean())


def speed(pictures: int, rounds: int) -> None:
    train = crops(pictures, 0)
    ratios, rates = [], []
    for number in range(rounds):
        plain = plain_epochs(train, 2, number)[1][-1]
        ours = our_epochs(train, 2, number)[1][-1]
        used = len(train[1]) // BATCH * BATCH
        rates.append((used / plain, len(train[1]) / ours))
        ratios.append(rates[-1][1] / rates[-1][0])
        print(
            f"round {number + 1}: plain {rates[-1][0]:6.1f} pictures/s, osler {rates[-1][1]:6.1f}, ratio {ratios[-1]:.2f}",
            flush=True,
        )
    print(
        f"ratio {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}); wanted with bfloat16: at least 1.8"
    )


def equal_accuracy(pictures: int, epochs: int, seeds: int) -> None:
    train, test = crops(pictures, 0), crops(pictures, 1)
    rows = []
    for seed in range(seeds):
        plain = accuracy(plain_epochs(train, epochs, seed)[0], train, test)
        rows.append((plain, our_epochs(train, epochs, seed, test)[0]))
        print(f"seed {seed}: plain {rows[-1][0]:.4f}, osler {rows[-1][1]:.4f}", flush=True)
    for name, values in zip(("plain", "osler"), zip(*rows, strict=True), strict=True):
        spread = statistics.stdev(values) if len(values) > 1 else float("nan")
        print(f"{name}: {statistics.mean(values):.4f} ± {spread:.4f} after {epochs} epochs")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--accuracy", action="store_true")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, native bfloat16: {processor_has_bfloat16()}")
    if arguments.accuracy:
        equal_accuracy(arguments.pictures, arguments.epochs, arguments.seeds)
    else:
        speed(arguments.pictures, arguments.rounds)


if __name__ == "__main__":
    main()
