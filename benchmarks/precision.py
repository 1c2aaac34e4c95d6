"""From how many multiply-adds a picture bfloat16 pays: a training step of networks of rising cost, float32 against autocast.

    python benchmarks/precision.py

Prints for each network its multiply-adds a picture and the ratio of processor times. The rule in `osler.training.engine` takes
bfloat16 above the cost from which the ratio stays above 1. One thread, alternating, medians.
"""

import statistics
import time
from contextlib import nullcontext

import torch
import torch.nn.functional as F

from osler.models.cost import multiply_adds
from osler.models.registry import create_model

CASES = (
    ("lenet5", {}, 32, 1),
    ("convnet", {"widths": [8, 16, 32]}, 8, 1),
    ("convnet", {}, 8, 1),
    ("convnet", {}, 16, 1),
    ("convnet", {}, 28, 1),
    ("convnet", {"widths": [64, 128, 256]}, 28, 1),
    ("resnet20", {}, 32, 3),
    ("airbench", {}, 32, 3),
    ("resnet18", {}, 64, 3),
)
BATCH = 64


def step_seconds(
    model: torch.nn.Module, optimizer: torch.optim.Optimizer, images: torch.Tensor, bfloat16: bool
) -> float:
    labels = torch.zeros(len(images), dtype=torch.long)
    began = time.process_time()
    optimizer.zero_grad()
    with torch.autocast("cpu", torch.bfloat16) if bfloat16 else nullcontext():
        outputs = model(images)
    F.cross_entropy(outputs.float(), labels).backward()
    optimizer.step()
    return time.process_time() - began


def main() -> None:
    torch.set_num_threads(1)
    for name, options, side, channels in CASES:
        model = create_model(name, num_classes=10, in_channels=channels, **options).to(
            memory_format=torch.channels_last
        )
        optimizer = torch.optim.AdamW(model.parameters(), fused=True)
        images = torch.randn(BATCH, channels, side, side).to(memory_format=torch.channels_last)
        cost = multiply_adds(model, channels, (side, side))
        rounds = [
            (step_seconds(model, optimizer, images, False), step_seconds(model, optimizer, images, True))
            for _ in range(12)
        ]
        ratio = statistics.median(a / b for a, b in rounds[2:])
        print(
            f"{name:<9} {channels}x{side}x{side}  {cost / 1e6:8.2f} M multiply-adds  float32 / bfloat16 = {ratio:.2f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
