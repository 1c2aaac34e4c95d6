"""Which network for a budget: of all that fit in it, one made for such pictures, and of these the one that computes most.

A network is made for pictures that it shrinks to a last map of about 3 to 16 positions a side: 7 in ResNet on 224 pixels,
8 on 32, 5 in LeNet. Of networks of the same age those that compute more are right more often (Canziani, Paszke and
Culurciello 2016, "An analysis of deep neural network models for practical applications"), so that what a budget allows is
used. Every registered network takes part, also those that are added later.
"""

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import nn

from osler.models.cost import multiply_adds
from osler.models.registry import create_model, feature_maps, list_models
from osler.structures.errors import RecipeError

LAST_MAP = (3, 16)  # positions a side of the last map of networks on the pictures for which they were published
WARM_UPS, RUNS = 2, 7  # forward passes before the clock counts; passes of which the median is taken


@dataclass(frozen=True, slots=True)
class Budget:
    """The most that a network may cost for one picture. None: as much as it likes."""

    multiply_adds: int | None = None
    parameters: int | None = None
    milliseconds: float | None = None  # of one forward pass of one picture, measured here

    def __post_init__(self) -> None:
        given = [v for v in (self.multiply_adds, self.parameters, self.milliseconds) if v is not None]
        if not given or min(given) <= 0:
            raise RecipeError(
                "A budget needs at least one of multiply_adds, parameters and milliseconds, each above 0; "
                f"given: {self.multiply_adds}, {self.parameters}, {self.milliseconds}."
            )


@dataclass(frozen=True, slots=True)
class Candidate:
    """A network and what it costs."""

    name: str
    multiply_adds: int
    parameters: int
    last_map: int  # positions along the shorter side of the last feature map
    milliseconds: float | None = None  # None: not measured, because no budget asked for it

    @property
    def suited(self) -> bool:
        """Whether the network shrinks the pictures about as much as it was made to."""
        return LAST_MAP[0] <= self.last_map <= LAST_MAP[1]


def choose_network(
    budget: Budget,
    *,
    size: tuple[int, int],
    num_classes: int,
    channels: int = 3,
    pattern: str = "*",
    device: str = "cpu",
) -> Candidate:
    """The registered network that suits such pictures best and stays within the budget.

    Networks made for such pictures go before others, and those of more multiply-adds before those of fewer.

    Args:
        budget: the limits; all that are given hold together.
        size: height and width of the pictures in pixels.
        num_classes: raw outputs.
        channels: 1 or 3.
        pattern: names that take part, with * and ?.
        device: where milliseconds are measured.

    Raises:
        RecipeError: no network fits; the message names the cheapest.
    """
    candidates = [c for name in list_models(pattern) if (c := weigh(name, size, num_classes, channels))]
    if not candidates:
        raise RecipeError(f"No network that is named like {pattern!r} sees pictures of {size[0]}x{size[1]}.")
    ordered = sorted(candidates, key=lambda c: (not c.suited, -c.multiply_adds, -c.parameters, c.name))
    measured: list[Candidate] = []
    for candidate in ordered:
        if not _within(candidate, budget):
            continue
        if budget.milliseconds is None:
            return candidate
        model = create_model(candidate.name, num_classes=num_classes, in_channels=channels)
        took = measure(model, size, channels, device)
        measured.append(replace(candidate, milliseconds=took))
        if took <= budget.milliseconds:
            return measured[-1]
    raise RecipeError(_nothing_fits(budget, measured or ordered, size))


def weigh(name: str, size: tuple[int, int], num_classes: int, channels: int = 3) -> Candidate | None:
    """What a network costs, counted without making its weights; None where it cannot see pictures of that size."""
    with torch.device("meta"):
        model = create_model(name, num_classes=num_classes, in_channels=channels)
        if min(size) < int(model.minimum_size):  # type: ignore[arg-type]
            return None
        cost = multiply_adds(model, channels, size)
    last_map = min(size) // feature_maps(model)[-1].stride
    return Candidate(name, cost, sum(p.numel() for p in model.parameters()), last_map)


def measure(model: nn.Module, size: tuple[int, int], channels: int = 3, device: str = "cpu") -> float:
    """Milliseconds of a forward pass of one picture: the median of several, after some that do not count."""
    model = model.to(device).eval()
    picture = torch.zeros(1, channels, *size, device=device)
    took = []
    with torch.inference_mode():
        for _ in range(WARM_UPS + RUNS):
            began = time.perf_counter()
            model(picture).cpu()  # read, so that an accelerator is waited for
            took.append(time.perf_counter() - began)
    return 1000 * statistics.median(took[WARM_UPS:])


def _within(candidate: Candidate, budget: Budget) -> bool:
    """Whether the counted costs are."""
    pairs = ((candidate.multiply_adds, budget.multiply_adds), (candidate.parameters, budget.parameters))
    return all(limit is None or cost <= limit for cost, limit in pairs)


def _nothing_fits(budget: Budget, candidates: Sequence[Candidate], size: tuple[int, int]) -> str:
    limits = {
        "multiply-adds": budget.multiply_adds,
        "parameters": budget.parameters,
        "milliseconds": budget.milliseconds,
    }
    wanted = " and ".join(f"{value:,} {name}" for name, value in limits.items() if value is not None)
    small = min(candidates, key=lambda c: c.multiply_adds)
    light = min(candidates, key=lambda c: c.parameters)
    took = "" if small.milliseconds is None else f" and takes {small.milliseconds:.2f} milliseconds here"
    return (
        f"No network stays within {wanted} for pictures of {size[0]}x{size[1]}. The quickest of those looked at is {small.name} "
        f"with {small.multiply_adds:,} multiply-adds{took}; the fewest parameters has {light.name}, {light.parameters:,}. "
        "Allow more, or smaller pictures."
    )
