"""GMAC/s of 1x1, 3x3, 5x5 and larger convolutions on this machine, at the map sizes of a network of four stages.

    OMP_NUM_THREADS=1 taskset -c 0 python benchmarks/compute_density.py [--kernels 1 3 5 7] [--rounds 15] [--device cpu]

The kernels take turns, the median counts. Ding et al. 2021 (table 1) found 3x3 about four times as dense as 1x1 and 5x5
on a GPU.
"""

import argparse

import torch

from osler.lab.compute_density import compute_density, density_table

STAGES = ((64, 56), (128, 28), (256, 14), (512, 7))  # channels, side


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kernels", type=int, nargs="+", default=[1, 3, 5, 7])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    print(f"torch {torch.__version__}, {options.device}, {torch.get_num_threads()} threads")
    for channels, side in STAGES:
        rows = compute_density(
            options.kernels, channels=channels, side=side, rounds=options.rounds, device=options.device
        )
        print(f"\n{channels} channels, {side}x{side}\n{density_table(rows)}")


if __name__ == "__main__":
    main()
