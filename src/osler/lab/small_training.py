"""A training small enough for a claim to be tested in seconds: a network on the digits, by our optimisers."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from osler.lab import plain_training
from osler.lab.digits_halves import DigitsHalves, digits_halves
from osler.training.optimizer import build_optimizer
from osler.training.schedule import build_schedule
from osler.training.section import TrainSection


def mlp(hidden: int = 32, *, seed: int = 0, layers: int = 1) -> nn.Sequential:
    """64 pixels to 10 classes by `layers` hidden layers of ReLU units; weights by seed."""
    return plain_training.mlp(64, *[hidden] * layers, 10, seed=seed)


@dataclass(slots=True)
class Course:
    """What a training did. It ends early when its loss is no number, or when its target is met."""

    losses: list[float] = field(default_factory=list)  # of each update's batch
    accuracies: list[float] = field(default_factory=list)  # on the test half, after each epoch

    @property
    def accuracy(self) -> float:
        """After the last epoch."""
        return self.accuracies[-1]

    @property
    def diverged(self) -> bool:
        """Whether the loss became no number."""
        return not math.isfinite(self.losses[-1])


def batches(count: int, size: int, generator: torch.Generator) -> Iterator[Int[Tensor, " size"]]:
    """The samples of one epoch in random order, `size` at a time; a smaller rest comes last."""
    yield from torch.randperm(count, generator=generator).split(size)


def accuracy(module: nn.Module, inputs: Float[Tensor, "samples 64"], labels: Int[Tensor, " samples"]) -> float:
    """Share of right answers; 0 where the outputs are no numbers."""
    module.eval()
    with torch.no_grad():
        outputs = module(inputs)
    module.train()
    return (outputs.argmax(1) == labels).float().mean().item() if outputs.isfinite().all() else 0.0


def train_digits(
    module: nn.Module,
    section: TrainSection,
    *,
    data: DigitsHalves | None = None,
    seed: int = 0,
    target: float = 1.1,
    watch: Callable[[int, float], None] | None = None,
) -> Course:
    """Fits a network by a `train` section: epochs, batch_size, optimizer, schedule and their keys.

    Args:
        module: 64 inputs to logits; changed in place.
        section: batch_size `auto` stands for 32.
        data: another pair of halves; by default the digits'.
        seed: of the order of the samples.
        target: test accuracy at which the training ends.
        watch: called after each update with its number and loss.
    """
    data = data or digits_halves()
    size = 32 if section.batch_size == "auto" else min(section.batch_size, len(data.inputs))
    optimizer = build_optimizer(section, module, batch_size=size)
    per_epoch = math.ceil(len(data.inputs) / size)
    schedule = build_schedule(section, optimizer, steps_per_epoch=per_epoch, epochs=section.epochs)
    generator, course = torch.Generator().manual_seed(seed), Course()
    for _ in range(section.epochs):
        for chosen in batches(len(data.inputs), size, generator):
            schedule.step(len(course.losses))
            optimizer.zero_grad()
            loss = cross_entropy(module(data.inputs[chosen]), data.labels[chosen])
            loss.backward()
            optimizer.step()
            course.losses.append(loss.item())
            if watch is not None:
                watch(len(course.losses), course.losses[-1])
            if course.diverged:
                break
        course.accuracies.append(accuracy(module, data.test_inputs, data.test_labels))
        if course.diverged or course.accuracy >= target:
            break
    return course
