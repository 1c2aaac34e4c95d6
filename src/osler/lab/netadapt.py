"""NetAdapt: a trained network made narrower layer by layer, until it keeps to a budget that is measured, not guessed.

Yang et al. 2018, "NetAdapt: platform-aware neural network adaptation for mobile applications", algorithm 1. In every
round each layer alone is narrowed just so far that the whole network's cost falls by the round's step, its largest
filters kept, and trained a little; the most accurate of these proposals is the next network. The cost is a sum over
layers, so that a table of measured layers gives the time of a network that was never run (section 3.4).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache

from torch import nn

from osler.lab.filter_chain import (
    FilterLayer,
    LayerShape,
    filter_layers,
    keep_filters,
    largest_filters,
    layer_shapes,
)
from osler.lab.latency import forward_times
from osler.ops.convolution import Window
from osler.ops.convolution_cost import convolution_cost
from osler.structures.errors import RecipeError

Shapes = dict[str, LayerShape]
LayerCost = Callable[[LayerShape], float]


@dataclass(frozen=True, slots=True)
class Round:
    """What was chosen in a round."""

    layer: str  # the one that was narrowed; empty: the network as it came
    filters: int  # that it has left
    cost: float
    accuracy: float  # of the chosen proposal
    others: tuple[float, ...] = ()  # accuracies of all proposals of the round


@dataclass(frozen=True, slots=True)
class Adapted:
    """The narrowed network and how it came about; the first of the rounds is the network as it came."""

    model: nn.Module
    rounds: tuple[Round, ...]


@dataclass(frozen=True, slots=True)
class Pace:
    """How much a round takes off the cost: a share of the first network's, which shrinks from round to round."""

    share: float = 0.1
    decay: float = 0.96

    def step(self, start: float, number: int) -> float:
        """Of round `number`, counted from 0."""
        return start * self.share * self.decay**number


def netadapt(
    model: nn.Module,
    *,
    pictures: tuple[int, int, int],
    budget: float,
    cost: LayerCost,
    tune: Callable[[nn.Module], nn.Module],
    judge: Callable[[nn.Module], float],
    pace: Pace | None = None,
) -> Adapted:
    """A network of at most the budget's cost. The original stays as it is; a long training afterwards is the caller's.

    Args:
        model: trained; a straight chain of layers.
        pictures: channels, height and width.
        budget: the most that the layers may cost together, in the unit of `cost`.
        cost: of one layer, such as `multiply_adds_of` or `milliseconds_of`.
        tune: trains a proposal a little, in place, and returns it.
        judge: its accuracy, on pictures that `tune` does not see.
        pace: of the rounds.

    Raises:
        RecipeError: the network is no chain, or no single layer can be narrowed as far as a round asks.
    """
    pace = pace or Pace()
    start = spent = total_cost(layer_shapes(model, pictures[0], pictures[1:]), cost)
    rounds = [Round("", 0, start, judge(model))]
    while spent > budget:
        limit = max(budget, spent - pace.step(start, len(rounds) - 1))
        proposals = []
        shapes = layer_shapes(model, pictures[0], pictures[1:])
        for layer in filter_layers(model):
            filters = most_filters(shapes, layer, limit, cost)
            if filters:
                narrow = tune(keep_filters(model, layer, largest_filters(model, layer, filters)))
                new = total_cost(narrowed_shapes(shapes, layer, filters), cost)
                proposals.append((Round(layer.name, filters, new, judge(narrow)), narrow))
        if not proposals:
            raise RecipeError(
                f"No single layer of the network, however narrow, brings its cost from {spent:,.6g} to {limit:,.6g}. "
                f"Allow more than {budget:,.6g}, or go on in smaller steps (a smaller share or decay)."
            )
        chosen, model = max(proposals, key=lambda proposal: proposal[0].accuracy)
        rounds.append(replace(chosen, others=tuple(proposal.accuracy for proposal, _ in proposals)))
        spent = chosen.cost
    return Adapted(model, tuple(rounds))


def most_filters(shapes: Shapes, layer: FilterLayer, limit: float, cost: LayerCost) -> int:
    """The largest number of filters with which the network costs at most `limit`; 0 when one filter is too many."""
    for filters in range(shapes[layer.name].out_channels - 1, 0, -1):
        if total_cost(narrowed_shapes(shapes, layer, filters), cost) <= limit:
            return filters
    return 0


def total_cost(shapes: Shapes, cost: LayerCost) -> float:
    """Of all layers."""
    return sum(cost(shape) for shape in shapes.values())


def narrowed_shapes(shapes: Shapes, layer: FilterLayer, filters: int) -> Shapes:
    """The shapes of the network in which a layer has so many filters."""
    before, reader = shapes[layer.name], shapes[layer.reader]
    inputs = reader.in_channels // before.out_channels * filters  # a linear layer may read several positions of each
    changed = {layer.name: replace(before, out_channels=filters), layer.reader: replace(reader, in_channels=inputs)}
    for name in layer.carriers:
        if name in shapes:
            changed[name] = replace(shapes[name], in_channels=filters, out_channels=filters, groups=filters)
    return shapes | changed


def multiply_adds_of(shape: LayerShape) -> float:
    """Multiply-adds of a layer for one picture."""
    window = Window(shape.kernel, shape.stride, shape.padding)
    positions = window.output(shape.size[0]), window.output(shape.size[1])
    channels = shape.in_channels, shape.out_channels
    return convolution_cost(*channels, shape.kernel, positions, groups=shape.groups).multiply_adds


@cache
def milliseconds_of(shape: LayerShape) -> float:
    """The time of a layer for one picture on this processor: the median of 20 runs, measured once for each shape."""
    channels, walk = (shape.in_channels, shape.out_channels), (shape.kernel, shape.stride, shape.padding)
    layer = nn.Conv2d(*channels, *walk, groups=shape.groups, bias=False)
    return forward_times(layer, (shape.in_channels, *shape.size)).median
