"""A search for small networks on the digits: widths and depths within a budget of multiply-adds, or of time here.

What is searched and how is apart: the ways to search are in `architecture_search` and `architecture_controller`. A
network is trained for two epochs only, as searches train their candidates shortly (MnasNet's for five epochs; Tan et
al. 2019, section 5), and judged on pictures that the claim about it is not tested on.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from statistics import median
from typing import Protocol

from torch import nn

from osler.lab.architecture_space import Architecture, Reward, Space, Trial, best
from osler.lab.latency import forward_times
from osler.lab.plain_training import accuracy_of, adam, fit, seeded
from osler.lab.small_sets import Split, digits
from osler.models.mnas_reward import mnas_reward
from osler.nn.convolution import conv_norm_act
from osler.nn.initialisation import he_initialise
from osler.ops.convolution_cost import convolution_cost

WIDTHS, DEPTHS, STAGES = (4, 8, 16, 24, 32), (1, 2, 3), 3
DECISIONS = (WIDTHS, DEPTHS) * STAGES
FINEST = (8, 8)  # height and width of the digits
FIRST = 8  # channels of the first convolution, which is not searched


class Way(Protocol):
    """A way to search: `random_search`, `regularised_evolution`, `reinforced_search`."""

    def __call__(self, space: Space, reward: Reward, *, trials: int, seed: int) -> list[Trial]:
        """All that was tried, in order."""
        ...


@dataclass(frozen=True, slots=True)
class Found:
    """The best of a search within its budget, on pictures and from weights that the search did not see."""

    architecture: Architecture  # width and depth of each stage
    accuracy: float
    multiply_adds: int
    trials: tuple[Trial, ...]


@dataclass(frozen=True, slots=True)
class FoundHere(Found):
    """Also with the time that its forward pass took when it was tried."""

    milliseconds: float


def stages_of(architecture: Architecture) -> list[tuple[int, int]]:
    """Width and depth of each stage, which take turns in the architecture."""
    return list(zip(architecture[::2], architecture[1::2], strict=True))


def network(architecture: Architecture, *, seed: int = 0) -> nn.Sequential:
    """Stages of 3x3 convolutions for 8x8 digits, of the widths and depths that take turns in the architecture.

    All stages but the first begin with a stride of 2. Takes rows of 64 pixels.
    """
    with seeded(seed):
        channels = FIRST
        blocks = [conv_norm_act(1, channels)]
        for stage, (width, depth) in enumerate(stages_of(architecture)):
            for i in range(depth):
                blocks.append(conv_norm_act(channels, width, stride=2 if stage and i == 0 else 1))
                channels = width
        body = nn.Sequential(*blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 10))
        model = nn.Sequential(nn.Unflatten(1, (1, *FINEST)), body)
        he_initialise(model)
    return model


@cache
def cost(architecture: Architecture) -> int:
    """Multiply-adds for one digit, by formula: a search asks for thousands."""
    channels, side = FIRST, FINEST[0]
    total = convolution_cost(1, channels, 3, FINEST).multiply_adds
    for stage, (width, depth) in enumerate(stages_of(architecture)):
        side = (side + 1) // 2 if stage else side
        for _ in range(depth):
            total += convolution_cost(channels, width, 3, (side, side)).multiply_adds
            channels = width
    return total + convolution_cost(channels, 10, 1, (1, 1)).multiply_adds


def milliseconds(architecture: Architecture) -> float:
    """Of a forward pass of one digit on this processor: the median of 20."""
    return forward_times(network(architecture)[1], (1, *FINEST)).median


@cache
def accuracy(architecture: Architecture, *, seed: int = 0, test: bool = False) -> float:
    """After a short training on 320 digits, on 400 to choose by, or on 400 others to test what was chosen."""
    data = digits(320, test=800, seed=0)
    model = _trained(network(architecture, seed=seed), data, seed)
    held = slice(400, 800) if test else slice(0, 400)
    return accuracy_of(model, data.x_test[held], data.y_test[held])


def space_within(budget: int) -> Space:
    """All widths and depths whose network takes at most so many multiply-adds."""
    return Space(DECISIONS, lambda architecture: cost(architecture) <= budget)


def search(way: Way, *, budget: int, trials: int = 30, seed: int = 0) -> Found:
    """The most accurate network that this way finds within a budget of multiply-adds for one picture."""
    tried = way(space_within(budget), accuracy, trials=trials, seed=seed)
    chosen = best(tried).architecture
    return Found(chosen, accuracy_on_test(chosen), cost(chosen), tuple(tried))


def search_here(
    way: Way,
    *,
    target: float,
    budget: int,
    trials: int = 30,
    seed: int = 0,
    latency: Callable[[Architecture], float] = milliseconds,
) -> FoundHere:
    """The same with the measured time in what is searched for: accuracy within the target, and less worth beyond it.

    The reward is MnasNet's with the hard exponents (0 and -1). Of what was tried, the best that kept to the target is
    taken; where nothing did, the fastest.

    Args:
        way: the search.
        target: milliseconds of a forward pass of one picture.
        budget: multiply-adds.
        trials: networks trained.
        seed: of the search.
        latency: measures an architecture in milliseconds; each is measured once.
    """
    times: dict[Architecture, float] = {}

    def reward(architecture: Architecture) -> float:
        if architecture not in times:
            times[architecture] = latency(architecture)
        return mnas_reward(accuracy(architecture), times[architecture], target=target, alpha=0, beta=-1)

    tried = way(space_within(budget), reward, trials=trials, seed=seed)
    kept = [trial for trial in tried if times[trial.architecture] <= target]
    chosen = best(kept).architecture if kept else min(times, key=lambda architecture: times[architecture])
    return FoundHere(chosen, accuracy_on_test(chosen), cost(chosen), tuple(tried), times[chosen])


def typical_accuracy(*, budget: int, count: int = 15, seed: int = 0) -> float:
    """The median of architectures drawn at random within the budget, each trained once, on the pictures of the test."""
    rng, space = random.Random(seed), space_within(budget)
    return median(accuracy_on_test(space.draw(rng), seeds=(1,)) for _ in range(count))


def accuracy_on_test(architecture: Architecture, *, seeds: Sequence[int] = (1, 2, 3)) -> float:
    """Mean accuracy on the pictures of the test, over trainings that the search did not make."""
    return sum(accuracy(architecture, seed=seed, test=True) for seed in seeds) / len(seeds)


def _trained(model: nn.Sequential, data: Split, seed: int) -> nn.Sequential:
    return fit(model, data.x, data.y, epochs=2, batch=32, optimizer=adam(1e-2), seed=seed)
