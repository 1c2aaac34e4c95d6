"""Updates that a program makes itself, without an optimizer: noticed by leaves of the loss that changed between backward passes."""

import math
from typing import Any

import torch
from torch import Tensor

from osler.vitals import events
from osler.vitals.call_watch import CallWatch
from osler.vitals.evidence import OptimizerSeen, StepSample
from osler.vitals.module_watch import ModuleWatch
from osler.vitals.state import State
from osler.vitals.summaries import evenly

BY_HAND = "by hand"
COPIED = 4_096  # values of a leaf by which its update is measured
SURE_AFTER = 3  # updates: weights may be set once or twice between backward passes for other reasons
LOOKED_FIRST = 30
TRACKED = 4  # leaves by which it is told whether gradients were cleared
NODES = 5_000


class HandWatch:
    """Looks before every forward and backward pass, until an optimizer makes a step: then it is over."""

    def __init__(self, state: State, modules: ModuleWatch, calls: CallWatch) -> None:
        self._state, self._modules, self._calls = state, modules, calls
        self._leaves: list[Tensor] = []
        self._before: list[Tensor] = []
        self._gradients: list[float] = []
        self._moves = 0
        self._stepped = False  # since the last backward pass
        self._over = False
        self._seen: OptimizerSeen | None = None
        state.at_forward.append(self._look_at_forward)

    def stop(self) -> None:
        """An optimizer makes the steps."""
        self._over = True
        self._leaves, self._before = [], []
        self._state.at_forward.clear()

    def backward_begins(self, value: Tensor) -> None:
        """A backward pass from `value` is about to begin."""
        if self._over or value.grad_fn is None:
            return
        self._look()
        leaves = _leaves(value)
        if (
            self._leaves
            and not _same(self._leaves, leaves)
            and [p.shape for p in leaves] == [p.shape for p in self._leaves]
        ):
            self._compare(leaves)  # the program makes new tensors at every step
        if not _same(self._leaves, leaves) or not self._before:
            self._leaves, self._before = leaves, _copies(leaves)
        seen = self._seen
        if self._stepped and seen is not None and seen.looked <= LOOKED_FIRST:
            left = [p.grad for p in leaves[:TRACKED]]
            seen.stale_steps += all(g is not None and float(g.norm()) != 0 for g in left)
        self._stepped = False

    def backward_ended(self) -> None:
        """Gradients are there now, and may be cleared before the next look."""
        if self._leaves and self._state.dense:
            self._gradients = [float(p.grad.norm()) if p.grad is not None else math.nan for p in self._leaves]

    def _look_at_forward(self) -> None:
        steps = self._state.step
        self._look()
        if self._state.step != steps:
            self._calls.step_made()

    def _look(self) -> None:
        if self._leaves and not self._stepped:
            self._compare(self._leaves)

    def _compare(self, leaves: list[Tensor]) -> None:
        """Notes an update if the leaves are not what they were."""
        now = _copies(leaves)
        if all(torch.equal(a, b) for a, b in zip(now, self._before, strict=True)):
            return
        before, self._before = self._before, now
        self._leaves, self._stepped = leaves, True
        self._moves += 1
        if self._moves < SURE_AFTER:
            return
        seen = self._seen or self._first()
        seen.steps += 1
        if seen.steps <= LOOKED_FIRST or self._state.dense:
            seen.looked += 1
        if self._state.dense:
            seen.samples.append(self._sample(leaves, before, now))
        self._state.event(events.STEP)
        self._state.step_made()

    def _first(self) -> OptimizerSeen:
        self._seen = seen = OptimizerSeen(BY_HAND, None, [{}])
        optimizers = self._state.evidence.optimizers
        optimizers.append(seen)
        held = {id(p) for p in self._leaves}
        for module, model in self._modules.models.items():
            for full, parameter in self._modules.named(module):
                if id(parameter) in held and full in model.parameters:
                    model.parameters[full].optimizers.append(len(optimizers) - 1)
                    seen.parameters.append(full)
        seen.strangers = len(held) - len(seen.parameters)
        return seen

    def _sample(self, leaves: list[Tensor], before: list[Tensor], now: list[Tensor]) -> StepSample:
        names = {id(p): full for module in self._modules.models for full, p in self._modules.named(module)}
        labels = [names.get(id(p), f"parameter {k}") for k, p in enumerate(leaves)]
        scales = [math.sqrt(p.numel() / max(1, n.numel())) for p, n in zip(leaves, now, strict=True)]
        sizes = [float(n.norm()) * s for n, s in zip(now, scales, strict=True)]
        moves = [float((n - b).norm()) * s for n, b, s in zip(now, before, scales, strict=True)]
        gradients = dict(zip(labels, self._gradients, strict=False))
        gradients = {name: size for name, size in gradients.items() if not math.isnan(size)}
        return StepSample(
            self._state.step + 1,
            (math.nan,),
            gradients,
            dict(zip(labels, sizes, strict=True)),
            dict(zip(labels, moves, strict=True)),
        )


def _copies(leaves: list[Tensor]) -> list[Tensor]:
    return [evenly(p.detach(), COPIED).float().clone() for p in leaves]


def _same(some: list[Tensor], others: list[Tensor]) -> bool:
    return len(some) == len(others) and all(a is b for a, b in zip(some, others, strict=True))


def _leaves(value: Tensor) -> list[Tensor]:
    """The leaves of the graph of a loss that ask for a gradient, in the order in which they are met."""
    found: list[Tensor] = []
    waiting: list[Any] = [value.grad_fn]
    met: set[Any] = set()
    while waiting and len(met) < NODES:
        node = waiting.pop()
        if node is None or node in met:
            continue
        met.add(node)
        leaf = getattr(node, "variable", None)
        if isinstance(leaf, Tensor):
            if leaf.is_floating_point():
                found.append(leaf)
        else:
            waiting += [after for after, _ in node.next_functions]
    return found
