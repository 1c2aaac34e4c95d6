"""The cost of one optimiser step by implementation: why `training/optimizer.py` takes the fused one.

    OMP_NUM_THREADS=1 python benchmarks/optimizer_step.py

Prints microseconds a step for plain, foreach and fused on a small perceptron and on 50 convolutions with batch norm
(the best of five rounds), the same for Osler's own choice, and the cost of a schedule's step.
"""

import time
from collections.abc import Callable

import torch
from torch import nn

from osler.training.optimizer import build_optimizer
from osler.training.schedule import SCHEDULES, build_schedule
from osler.training.section import TrainSection

NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "64-32-10": lambda: nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10)),
    "50 convolutions": lambda: nn.Sequential(
        *(nn.Sequential(nn.Conv2d(64, 64, 3), nn.BatchNorm2d(64)) for _ in range(50))
    ),
}


def microseconds(run: Callable[[], object], repeats: int) -> float:
    best = float("inf")
    for _ in range(5):
        started = time.perf_counter()
        for _ in range(repeats):
            run()
        best = min(best, (time.perf_counter() - started) / repeats)
    return best * 1e6


def main() -> None:
    for network, make in NETWORKS.items():
        repeats = 200 if network == "64-32-10" else 10
        for name in ("sgd", "momentum", "adagrad", "rmsprop", "adam", "adamw"):
            cells = []
            for kind in ("plain", "foreach", "fused", "ours"):
                if kind == "fused" and name == "rmsprop":
                    continue
                module = make()
                optimizer = build_optimizer(TrainSection(optimizer=name, weight_decay=0.01), module, batch_size=64)
                if kind != "ours":
                    for group in optimizer.param_groups:
                        group.update({k: k == kind for k in ("foreach", "fused") if k in group})
                for parameter in module.parameters():
                    parameter.grad = torch.randn_like(parameter) * 0.01
                optimizer.step()
                cells.append(f"{kind} {microseconds(optimizer.step, repeats):.0f}")
            print(f"{network:16} {name:9} " + "  ".join(cells))
    for name in SCHEDULES:
        optimizer = build_optimizer(
            TrainSection(optimizer="momentum", weight_decay=0), NETWORKS["64-32-10"](), batch_size=64
        )
        schedule = build_schedule(TrainSection(schedule=name), optimizer, steps_per_epoch=100, epochs=20)
        print(f"schedule {name:11} {microseconds(lambda s=schedule: s.step(777), 2000):.2f}")


if __name__ == "__main__":
    main()
