"""A pass over a split in evaluation mode: every sample exactly once, whatever the number of processes."""

from collections.abc import Callable, Iterator
from typing import Any, Protocol

import numpy as np
import torch
from torch import nn

from osler.structures.batch import Batch
from osler.tasks.task import Outcome, Task
from osler.training.engine import Engine


class Split(Protocol):
    """A data set in batches: a loader, or a part of one."""

    def __len__(self) -> int:
        """How many batches."""

    def epoch(self, epoch: int) -> Iterator[Batch]:
        """The batches."""


def evaluate(
    model: nn.Module,
    task: Task,
    loader: Split,
    *,
    engine: Engine,
    standardise: nn.Module,
    watch: Callable[[int, int], None] | None = None,
) -> Outcome:
    """What a model in evaluation mode answers on a split, in the order of the data set.

    `watch` is told how many batches are done, and of how many.
    """
    predictions, targets, indices = [], [], []
    losses: dict[str, float] = {}
    total = len(loader)
    with torch.inference_mode():
        for number, raw in enumerate(loader.epoch(0), 1):
            moved = raw.to(engine.device)
            batch = Batch(engine.laid_out(standardise(moved.images)), moved.target, raw.indices)
            with engine.autocast():
                outputs, named = task.evaluate(model, batch)
            predictions.append(task.decode(outputs))
            targets.append(_on_cpu(raw.target))
            indices.append(raw.indices.numpy())
            for name, value in named.items():
                losses[name] = losses.get(name, 0.0) + float(value) * len(batch)
            if watch is not None:
                watch(number, total)
    parts = engine.gather((indices, predictions, targets, losses))
    return _joined(parts)


def _joined(parts: list[Any]) -> Outcome:
    """The outcomes of all processes as one, in the order of the data set."""
    indices = np.concatenate([i for part in parts for i in part[0]])
    order = np.argsort(indices, kind="stable")
    names = parts[0][3]
    losses = {n: sum(part[3].get(n, 0.0) for part in parts) / max(1, len(indices)) for n in names}
    predictions = _in_order(_concatenated([p for part in parts for p in part[1]]), order)
    targets = _in_order(_concatenated([t for part in parts for t in part[2]]), order)
    return Outcome(indices[order], predictions, targets, losses)


def _concatenated(pieces: list[Any]) -> Any:
    if isinstance(pieces[0], np.ndarray):
        return np.concatenate(pieces)
    return [item for piece in pieces for item in piece]


def _in_order(rows: Any, order: np.ndarray) -> Any:
    return rows[order] if isinstance(rows, np.ndarray) else [rows[i] for i in order]


def _on_cpu(target: Any) -> Any:
    return target.cpu().numpy() if isinstance(target, torch.Tensor) else target
