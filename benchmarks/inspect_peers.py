"""Time, memory and columns of `osler inspect` beside torchinfo and fvcore, on the same ten networks.

    python -m venv /tmp/peers
    /tmp/peers/bin/pip install --no-deps torchinfo fvcore iopath yacs portalocker termcolor tabulate tqdm
    OMP_NUM_THREADS=1 taskset -c 0 python benchmarks/inspect_peers.py --peers /tmp/peers/lib/python3.11/site-packages

Each tool is given the same network with weights and the same picture size; the tools take turns, the median counts. Memory is
the growth of the process's peak while one tool looks at VGG-16, whose weights are there before.
"""

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

NETWORKS = (
    "alexnet", "vgg16", "resnet18", "resnet50", "resnet152", "densenet121", "mobilenet_v2", "mobilenet_v3_large",
    "seresnet50", "repvgg_a0",
)  # fmt: skip
HEAVY = "vgg16"

COLUMNS = (
    ("output size", "yes", "yes", "-"),
    ("kernel", "yes", "yes", "-"),
    ("stride, padding, dilation", "yes", "-", "-"),
    ("output size worked out", "yes", "-", "-"),
    ("receptive field, jump, centre", "yes", "-", "-"),
    ("parameters", "yes", "yes", "yes"),
    ("biases apart", "yes", "-", "-"),
    ("multiply-adds by layer", "yes", "yes", "yes"),
    ("operations of functions that are no modules", "yes", "-", "yes"),
    ("operators without a rule listed", "yes", "-", "yes"),
    ("output bytes by layer", "yes", "total", "number of values"),
    ("peak of a forward pass", "yes", "-", "-"),
    ("kept for the backward pass, by layer", "yes, as autograd says", "total, twice the outputs", "-"),
    ("which layer feeds which", "yes", "-", "-"),
    ("remarks", "yes", "-", "-"),
    ("latency estimate", "yes", "-", "-"),
    ("runs on the meta device, without numbers", "yes", "yes", "-"),
)


def ours(model: nn.Module, side: int) -> int:
    import osler

    return osler.inspect(model, (3, side, side)).multiply_adds


def torchinfo(model: nn.Module, side: int) -> int:
    from torchinfo import summary

    return int(summary(model, input_size=(1, 3, side, side), verbose=0, mode="eval").total_mult_adds)


def fvcore(model: nn.Module, side: int) -> int:
    from fvcore.nn import ActivationCountAnalysis, FlopCountAnalysis, parameter_count

    picture = torch.zeros(1, 3, side, side)
    quiet = [
        analysis(model.eval(), picture).unsupported_ops_warnings(False).uncalled_modules_warnings(False)
        for analysis in (FlopCountAnalysis, ActivationCountAnalysis)
    ]
    parameter_count(model)
    quiet[1].total()
    return int(quiet[0].total())


TOOLS: dict[str, Callable[[nn.Module, int], int]] = {"osler": ours, "torchinfo": torchinfo, "fvcore": fvcore}


def network(name: str) -> tuple[nn.Module, int]:
    from osler.models.registry import create_model

    model = create_model(name).eval()
    return model, int(model.input_size)  # type: ignore[arg-type]


def compare(rounds: int) -> None:
    print("| network | osler | torchinfo | fvcore | osler counts | torchinfo counts | fvcore counts |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    for name in NETWORKS:
        model, side = network(name)
        seconds: dict[str, list[float]] = {tool: [] for tool in TOOLS}
        counts = {}
        for turn in range(rounds + 1):
            for tool, call in TOOLS.items():
                start = time.perf_counter()
                counts[tool] = call(model, side)
                if turn:  # the first is for imports
                    seconds[tool].append(time.perf_counter() - start)
        times = " | ".join(f"{statistics.median(s):.2f} s" for s in seconds.values())
        print(f"| {name} | {times} | " + " | ".join(f"{counts[tool]:,}" for tool in TOOLS) + " |", flush=True)


def memory(tool: str) -> None:
    """Printed by a process of its own: megabytes by which its peak grew. Linux only, where a peak can be set back."""
    model, side = network(HEAVY)
    Path("/proc/self/clear_refs").write_text("5")
    before = peak()
    with torch.no_grad():
        TOOLS[tool](model, side)
    print(round((peak() - before) / 1024))


def peak() -> int:
    """Of this process, in kilobytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peers", required=True, help="site-packages where torchinfo and fvcore are installed")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--memory", choices=list(TOOLS), help="print only the memory of one tool")
    options = parser.parse_args()
    sys.path.append(options.peers)  # last: torch and the rest stay ours
    if options.memory:
        memory(options.memory)
        return
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, median of {options.rounds}\n")
    compare(options.rounds)
    print(f"\nMemory beyond the weights while looking at {HEAVY}:\n")
    for tool in TOOLS:
        command = [sys.executable, __file__, "--peers", options.peers, "--memory", tool]
        grown = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
        print(f"- {tool}: {grown} MB")
    print("\n| for each layer | osler | torchinfo | fvcore |\n| --- | --- | --- | --- |")
    for row in COLUMNS:
        print("| " + " | ".join(row) + " |")


if __name__ == "__main__":
    main()
