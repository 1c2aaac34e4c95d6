"""Time of a forward pass: the training form of a network against its deployed form (`osler.models.deployed`).

    OMP_NUM_THREADS=1 taskset -c 0 python benchmarks/deployed_form.py [NAME...] [--batch 1] [--rounds 9] [--side 224]

Both forms take turns in evaluation, the median counts; the largest difference of their answers is printed beside.
"""

import argparse
import statistics
import time

import torch
from torch import nn

from osler.models.deployed import deployed
from osler.models.registry import create_model


def seconds(forms: tuple[nn.Module, nn.Module], images: torch.Tensor, rounds: int) -> list[float]:
    """The median of each form, after a first round that warms caches."""
    spent: list[list[float]] = [[], []]
    for _ in range(rounds + 1):
        for form, times in zip(forms, spent, strict=True):
            start = time.perf_counter()
            form(images)
            times.append(time.perf_counter() - start)
    return [statistics.median(times[1:]) for times in spent]


@torch.inference_mode()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", default=["repvgg_a0", "resnet18"])
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--side", type=int, default=224)
    options = parser.parse_args()
    torch.manual_seed(0)
    images = torch.randn(options.batch, 3, options.side, options.side)
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads")
    print(f"{'network':<14} {'training ms':>12} {'deployed ms':>12} {'ratio':>7} {'difference':>11}")
    for name in options.names:
        model = create_model(name).eval()
        forms = model, deployed(model)
        before, after = seconds(forms, images, options.rounds)
        apart = float((forms[0](images) - forms[1](images)).abs().max())
        print(f"{name:<14} {before * 1e3:>12.1f} {after * 1e3:>12.1f} {before / after:>7.2f} {apart:>11.1e}")


if __name__ == "__main__":
    main()
