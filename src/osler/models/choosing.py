"""Which network for a budget: of all that fit in it and are made for such pictures, the one that is right most often.

A network is made for pictures that it shrinks to a last map of about 3 to 16 positions a side: 7 in ResNet on 224 pixels,
8 on 32, 5 in LeNet. How often it is right is what its authors published (see `published_accuracy`); networks of which
nothing is known come after those, and of these the one that computes most goes first, for that is what accuracy follows
among networks of one kind and age (Canziani, Paszke and Culurciello 2016, "An analysis of deep neural network models for
practical applications"). Asked for an accuracy, the cheapest network that reaches it is chosen. Every registered network
takes part, also those that are added later.
"""

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import torch
from torch import nn

from osler.models.cost import multiply_adds
from osler.models.published_accuracy import published_accuracy
from osler.models.registry import create_model, feature_maps, list_models
from osler.nn.initialisation import NORMS
from osler.structures.errors import RecipeError

LAST_MAP = (3, 16)  # positions a side of the last map of networks on the pictures for which they were published
WARM_UPS, RUNS = 2, 7  # forward passes before the clock counts; passes of which the median is taken


@dataclass(frozen=True, slots=True)
class Budget:
    """The most that a network may cost for one picture, and the least that it must do. None: as it comes."""

    multiply_adds: int | None = None
    parameters: int | None = None
    milliseconds: float | None = None  # of one forward pass of one picture, measured here
    accuracy: float | None = None  # percent, as published

    def __post_init__(self) -> None:
        limits = (self.multiply_adds, self.parameters, self.milliseconds, self.accuracy)
        given = [v for v in limits if v is not None]
        if not given or min(given) <= 0:
            raise RecipeError(
                "A budget needs at least one of multiply_adds, parameters, milliseconds and accuracy, each above 0; "
                f"given: {', '.join(map(str, limits))}."
            )


@dataclass(frozen=True, slots=True)
class Candidate:
    """A network and what it costs."""

    name: str
    multiply_adds: int
    parameters: int
    last_map: int  # positions along the shorter side of the last feature map
    accuracy: float | None = None  # percent, as published for pictures of its own kind; None: not known
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

    Networks made for such pictures go before others, and those that are right more often before those that are less.

    Args:
        budget: the limits; all that are given hold together. With an accuracy, the fewest multiply-adds win.
        size: height and width of the pictures in pixels.
        num_classes: raw outputs.
        channels: 1 or 3.
        pattern: names that take part, with * and ?.
        device: where milliseconds are measured.

    Raises:
        RecipeError: no network fits; the message names the cheapest.
    """
    weighed = [w for name in list_models(pattern) if (w := sketch(name, size, num_classes, channels))]
    if not weighed:
        raise RecipeError(f"No network that is named like {pattern!r} sees pictures of {size[0]}x{size[1]}.")
    light = [c for c in weighed if budget.parameters is None or c.parameters <= budget.parameters]
    measured: list[Candidate] = []
    for candidate in _best_first(light, budget, lambda c: weigh(c.name, size, num_classes, channels) or c):
        if budget.multiply_adds is not None and candidate.multiply_adds > budget.multiply_adds:
            continue
        if budget.milliseconds is None:
            return candidate
        model = create_model(candidate.name, num_classes=num_classes, in_channels=channels)
        took = measure(model, size, channels, device)
        measured.append(replace(candidate, milliseconds=took))
        if took <= budget.milliseconds:
            return measured[-1]
    all_weighed = [w for c in weighed if (w := weigh(c.name, size, num_classes, channels))]
    raise RecipeError(_nothing_fits(budget, measured or all_weighed, size))


def _best_first(
    candidates: Sequence[Candidate], budget: Budget, weighed: Callable[[Candidate], Candidate]
) -> Iterator[Candidate]:
    """Those that may be chosen, weighed; no more are weighed than the caller looks at, where that is possible."""
    if budget.accuracy is not None:
        able = [weighed(c) for c in candidates if c.suited and c.accuracy is not None and c.accuracy >= budget.accuracy]
        yield from sorted(able, key=lambda c: (c.multiply_adds, c.parameters, c.name))
        return
    known = [c for c in candidates if c.suited and c.accuracy is not None]
    for candidate in sorted(known, key=lambda c: (-(c.accuracy or 0), c.parameters, c.name)):
        yield weighed(candidate)
    others = [weighed(c) for c in candidates if c not in known]
    yield from sorted(others, key=lambda c: (not c.suited, -c.multiply_adds, -c.parameters, c.name))


@lru_cache(maxsize=4096)
def sketch(name: str, size: tuple[int, int], num_classes: int, channels: int = 3) -> Candidate | None:
    """A network without its multiply-adds (0), which take longest to count; None where it cannot see such pictures."""
    with torch.device("meta"):
        model = create_model(name, num_classes=num_classes, in_channels=channels)
    if min(size) < int(model.minimum_size):  # type: ignore[arg-type]
        return None
    last_map = min(size) // feature_maps(model)[-1].stride
    return Candidate(name, 0, sum(p.numel() for p in model.parameters()), last_map, published_accuracy(name))


@lru_cache(maxsize=4096)
def weigh(name: str, size: tuple[int, int], num_classes: int, channels: int = 3) -> Candidate | None:
    """What a network costs, counted without making its weights; None where it cannot see pictures of that size."""
    found = sketch(name, size, num_classes, channels)
    if found is None:
        return None
    with torch.device("meta"):
        model = create_model(name, num_classes=num_classes, in_channels=channels)
        _drop_norms(model)
        return replace(found, multiply_adds=multiply_adds(model, channels, size))


def _drop_norms(model: nn.Module) -> None:
    """They have no multiply-adds of the counted kind, and are half of the time that counting takes. In place."""
    for module in list(model.modules()):
        for name, child in module.named_children():
            if isinstance(child, NORMS):
                setattr(module, name, nn.Identity())


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


def _nothing_fits(budget: Budget, candidates: Sequence[Candidate], size: tuple[int, int]) -> str:
    limits = {
        "multiply-adds": budget.multiply_adds,
        "parameters": budget.parameters,
        "milliseconds": budget.milliseconds,
    }
    wanted = " and ".join(f"{value:,} {name}" for name, value in limits.items() if value is not None)
    reached = f" reaches {budget.accuracy:g} %" if budget.accuracy is not None else ""
    within = f" stays within {wanted}" if wanted else ""
    small = min(candidates, key=lambda c: c.multiply_adds)
    light = min(candidates, key=lambda c: c.parameters)
    known = [c for c in candidates if c.suited and c.accuracy is not None]
    best = max(known, key=lambda c: c.accuracy or 0, default=None)
    took = "" if small.milliseconds is None else f" and takes {small.milliseconds:.2f} milliseconds here"
    right = f"The most accurate is {best.name} with {best.accuracy:g} %. " if best and reached else ""
    return (
        f"No network{reached}{' and' if reached and within else ''}{within} for pictures of {size[0]}x{size[1]}. {right}"
        f"The quickest of those looked at is {small.name} with {small.multiply_adds:,} multiply-adds{took}; the fewest "
        f"parameters has {light.name}, {light.parameters:,}. Allow more, or smaller pictures."
    )
