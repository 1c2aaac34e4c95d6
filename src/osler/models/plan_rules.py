"""The grammar of classification networks and six rules of thumb, held against a plan or a network.

Up to about 2014 a network read input -> (conv+ pool?)+ -> fc+, as a regular expression. The rules of thumb speak of networks
that match it; each known network breaks some, and those after 2014 branch and do not match.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import groupby, pairwise

import torch
from torch import nn

from osler.models.plan import Conv, Full, Layer, Plan
from osler.models.plan_parsing import parse_plan
from osler.models.plan_reading import read_plan
from osler.models.registry import create_model
from osler.structures.errors import RecipeError

GRAMMAR = re.compile(r"i(c+p?)+f+")  # input, convolution, pooling (also a global one), fully connected
IN_A_ROW, FULLY_CONNECTED, LARGEST_KERNEL, POOL_STRIDES = 3, 2, 5, (2, 3)


@dataclass(frozen=True, slots=True)
class Judgement:
    """Whether a network is of the grammar, and what it does against the rules of thumb."""

    matches: bool
    reason: str  # why not; empty where it matches
    plan: Plan | None  # None: it has none
    broken: dict[str, str]  # rule to what was found; of networks that have a plan

    def __str__(self) -> str:
        found = "match" if self.matches else f"no match: {self.reason.rstrip('.')}"
        broken = "; ".join(f"{rule} ({what})" for rule, what in self.broken.items())
        return f"{found}. Broken: {broken or 'none'}." if self.plan else f"{found}."


def judge_plan(text: str) -> Judgement:
    """Hold the text of a plan against the grammar and the rules."""
    try:
        return _judge(parse_plan(text))
    except RecipeError as error:
        return Judgement(False, str(error), None, {})


def judge_model(model: nn.Module, size: int | None = None, channels: int = 3) -> Judgement:
    """Hold a network against them, by the plan that can be read from it for pictures of `size` pixels a side."""
    try:
        return _judge(read_plan(model, size, channels))
    except RecipeError as error:
        return Judgement(False, str(error), None, {})


def judge_known(names: Iterable[str]) -> dict[str, Judgement]:
    """Hold registered networks against them; no weights are made."""
    judged = {}
    for name in names:
        with torch.device("meta"):
            judged[name] = judge_model(create_model(name))
    return judged


def symbols(plan: Plan) -> str:
    """A letter for each layer: i, then c, p and f."""
    return "i" + "".join("c" if isinstance(x, Conv) else "f" if isinstance(x, Full) else "p" for x in plan.layers)


def _judge(plan: Plan) -> Judgement:
    """A plan fails the grammar in one way only: it may end in averaged maps."""
    matches = GRAMMAR.fullmatch(symbols(plan)) is not None
    reason = "" if matches else f"{symbols(plan)} is not {GRAMMAR.pattern}, for it has no fully connected layer"
    broken = {rule: what for rule, find in RULES.items() if (what := find(plan))}
    return Judgement(matches, reason, plan, broken)


def _stages(plan: Plan) -> list[list[Conv]]:
    """The convolutions between poolings."""
    return [list(run) for is_conv, run in groupby(plan.trunk, lambda x: isinstance(x, Conv)) if is_conv]  # type: ignore[arg-type]


def _convs(plan: Plan) -> list[Conv]:
    return [layer for layer in plan.layers if isinstance(layer, Conv)]


def _in_a_row(plan: Plan) -> str:
    longest = max(len(stage) for stage in _stages(plan))
    return f"{longest} in a row" if longest > IN_A_ROW else ""


def _fully_connected(plan: Plan) -> str:
    count = len(plan.classifier)
    return "" if 1 <= count <= FULLY_CONNECTED else f"it has {count}"


def _doubling(plan: Plan) -> str:
    """Of the last convolution before a pooling and the last of the stage after it."""
    widths = [stage[-1].channels for stage in _stages(plan)]
    pairs = [(a, b) for a, b in pairwise(widths) if a is not None and b is not None and b != 2 * a]
    return ", ".join(f"{a} to {b}" for a, b in pairs)


def _conv_stride(plan: Plan) -> str:
    return _listed(conv for conv in _convs(plan) if conv.stride != 1)


def _kernel(plan: Plan) -> str:
    return _listed(conv for conv in _convs(plan) if conv.kernel > LARGEST_KERNEL)


def _pool_stride(plan: Plan) -> str:
    return _listed(x for x in plan.trunk if not isinstance(x, Conv) and x.stride not in POOL_STRIDES)


def _listed(layers: Iterable[Layer]) -> str:
    return ", ".join(str(layer).split()[0] for layer in layers)


RULES: dict[str, Callable[[Plan], str]] = {
    "at most 3 convolutions in a row": _in_a_row,
    "1 or 2 fully connected layers": _fully_connected,
    "channels double with each pooling": _doubling,
    "convolutions have stride 1": _conv_stride,
    "kernels have at most 5x5": _kernel,
    "poolings have stride 2 or 3": _pool_stride,
}
