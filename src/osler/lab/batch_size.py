"""What the batch size changes (rows OP15, OP18): steps, time, gradient noise, accuracy, memory, throughput."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils.flop_counter import FlopCounterMode

from osler.lab.digits_halves import digits_halves
from osler.lab.gradient_descent import gradient_noise
from osler.lab.small_training import mlp, train_digits
from osler.training.section import TrainSection


@dataclass(frozen=True, slots=True)
class BatchSizeRow:
    """A training at one batch size."""

    batch_size: int
    seconds_per_epoch: float
    steps: int  # in all epochs together
    noise: float  # standard deviation of the first gradient's estimate, over that of batch size 1
    accuracy: float  # on the test half, after equally many epochs
    accuracy_equal_steps: float  # after equally many steps: what the noise alone costs or brings


def batch_size_table(
    batch_sizes: tuple[int, ...] = (1, 8, 32, 128, 898), *, epochs: int = 5, steps: int = 300, lr: float = 0.05
) -> tuple[BatchSizeRow, ...]:
    """The same network and learning rate at several batch sizes.

    Benefits of large batches: fewer steps an epoch, less noise, faster epochs. Harms: fewer steps in the same epochs
    and hence a lower accuracy, more memory (`efficiency_table`), sharper minima (`sharpness.py`).
    """
    noise = {row.batch_size: row.variance for row in gradient_noise(mlp(), (1, *batch_sizes), draws=300)}
    rows = []
    for size in batch_sizes:
        started = time.perf_counter()
        course = train_digits(mlp(), _plain(size, epochs, lr))
        seconds = (time.perf_counter() - started) / epochs
        fair = max(1, round(steps * size / 898))
        equal = course if fair == epochs else train_digits(mlp(), _plain(size, fair, lr))
        relative = (noise[size] / noise[1]) ** 0.5
        rows.append(BatchSizeRow(size, seconds, len(course.losses), relative, course.accuracy, equal.accuracy))
    return tuple(rows)


def _plain(batch_size: int, epochs: int, lr: float) -> TrainSection:
    return TrainSection(
        epochs=epochs, batch_size=batch_size, optimizer="sgd", lr=lr, weight_decay=0, schedule="constant"
    )


@dataclass(frozen=True, slots=True)
class EfficiencyRow:
    """A forward and backward pass at one batch size."""

    batch_size: int
    samples_per_second: float
    activation_bytes: int  # kept from the forward for the backward pass, weights not counted
    operations_per_weight_byte: float  # work done for each byte of weights that is read: what larger batches raise


def efficiency_table(
    batch_sizes: tuple[int, ...] = (1, 4, 16, 64, 256), *, hidden: int = 256, repeats: int = 5
) -> tuple[EfficiencyRow, ...]:
    """Samples per second, memory and arithmetic intensity by batch size, best of `repeats` runs."""
    data, network = digits_halves(), mlp(hidden)
    weight_bytes = sum(p.numel() * p.element_size() for p in network.parameters())
    rows = []
    for size in batch_sizes:
        inputs, labels = data.inputs[:size], data.labels[:size]

        def run(inputs: Tensor = inputs, labels: Tensor = labels) -> None:
            cross_entropy(network(inputs), labels).backward()

        seconds = min(_seconds(run) for _ in range(repeats))
        with FlopCounterMode(display=False) as counter:
            run()
        intensity = counter.get_total_flops() / weight_bytes
        rows.append(EfficiencyRow(size, size / seconds, kept_bytes(network, inputs, labels), intensity))
    return tuple(rows)


def kept_bytes(network: nn.Module, inputs: Tensor, labels: Tensor) -> int:
    """Bytes of the distinct tensors that a forward pass keeps for the backward pass, parameters left out."""
    own = {p.untyped_storage().data_ptr() for p in network.parameters()}
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = tensor.numel() * tensor.element_size()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        loss = cross_entropy(network(inputs), labels)
    del loss
    return sum(kept.values())


def _seconds(run: Callable[[], None]) -> float:
    started = time.perf_counter()
    run()
    return time.perf_counter() - started
