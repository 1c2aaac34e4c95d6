"""From how many multiply-adds a picture bfloat16 pays: a training step of networks of rising cost, float32 against autocast.

    python benchmarks/precision.py

Prints for each network its multiply-adds a picture and the ratios of processor times, of plain autocast and of ours, which
keeps some depthwise convolutions in float32 (`osler.training.float32_convolutions`). The rule in `osler.training.engine`
takes bfloat16 above the cost from which the ratio stays above 1. One thread, alternating, medians.
"""

import argparse
import statistics
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
import torch.nn.functional as F

from osler.models.cost import multiply_adds
from osler.models.registry import create_model
from osler.training.float32_convolutions import SomeConvolutionsInFloat32

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
    ("mobilenet_v2", {}, 64, 3),
    ("mobilenet_v3_large", {}, 128, 3),
)
BATCH = 64


@contextmanager
def ours() -> Iterator[None]:
    """The context of a training in bfloat16."""
    with torch.autocast("cpu", torch.bfloat16), SomeConvolutionsInFloat32():
        yield


def step_seconds(
    model: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    images: torch.Tensor,
    precision: AbstractContextManager[Any],
) -> float:
    """Processor time of an update."""
    labels = torch.zeros(len(images), dtype=torch.long)
    began = time.process_time()
    optimizer.zero_grad()
    with precision:
        outputs = model(images)
    F.cross_entropy(outputs.float(), labels).backward()
    optimizer.step()
    return time.process_time() - began


def main() -> None:
    """Measures each network, or those that are named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", nargs="*", help="only these")
    only = parser.parse_args().networks
    torch.set_num_threads(1)
    for name, options, side, channels in CASES:
        if only and name not in only:
            continue
        model = create_model(name, num_classes=10, in_channels=channels, **options).to(
            memory_format=torch.channels_last
        )
        optimizer = torch.optim.AdamW(model.parameters(), fused=True)
        images = torch.randn(BATCH, channels, side, side).to(memory_format=torch.channels_last)
        cost = multiply_adds(model, channels, (side, side))
        rounds = [
            [
                step_seconds(model, optimizer, images, precision)
                for precision in (nullcontext(), torch.autocast("cpu", torch.bfloat16), ours())
            ]
            for _ in range(8)
        ]
        plain, kept = (statistics.median(r[0] / r[which] for r in rounds[2:]) for which in (1, 2))
        print(
            f"{name:<18} {channels}x{side}x{side}  {cost / 1e6:8.2f} M multiply-adds  "
            f"float32 / bfloat16 = {plain:.2f}, ours {kept:.2f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
