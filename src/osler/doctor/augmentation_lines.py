"""Functions and steps of a script that change samples at random."""

import ast

from osler.doctor.data_lines import DRAWING
from osler.doctor.flow_reading import FlowReading, calls_in
from osler.doctor.provenance import Step
from osler.doctor.script_reading import dotted

RANDOM_TRANSFORMS = (
    "Random", "ColorJitter", "AutoAugment", "RandAugment", "TrivialAugment", "AugMix", "GaussianBlur", "GaussNoise", "Jitter",
)  # fmt: skip
ORDERING = {"permutation", "shuffle", "randperm", "sample", "permuted"}


def drawing_functions(flow: FlowReading) -> set[str]:
    """The names of functions and classes of the script that draw random numbers, themselves or through each other."""
    drawing = {name for name, node in flow.functions.items() if _draws(node)}
    for _ in range(3):
        short = {flow.name_of(name) for name in drawing}
        drawing |= {
            n
            for n, node in flow.functions.items()
            if any(dotted(c.func).rpartition(".")[2] in short for c in calls_in(node))
        }
    names = {flow.name_of(name) for name in drawing}
    classes = {
        n.rpartition(".")[0].rpartition(".")[2] for n in drawing if n.endswith(("__call__", "__getitem__", "forward"))
    }
    return (names | classes) - {"forward", "__init__", "__getitem__", "__call__", "main", "train", "evaluate", ""}


def own_draws(steps: list[Step], flow: FlowReading) -> bool:
    """Whether random numbers, other than those of an order, are drawn on the way of a value."""
    drawing = drawing_functions(flow)
    for step in steps:
        if _draws(step.node) or any(_random_name(dotted(c.func).rpartition(".")[2], drawing) for c in step.calls):
            return True
    return False


def _random_name(name: str, drawing: set[str]) -> bool:
    return name in drawing or name.startswith(RANDOM_TRANSFORMS)


def _draws(node: ast.AST) -> bool:
    names = {dotted(c.func).rpartition(".")[2] for c in calls_in(node)}
    return bool(names & (DRAWING - ORDERING)) or any(n.startswith(RANDOM_TRANSFORMS) for n in names)
