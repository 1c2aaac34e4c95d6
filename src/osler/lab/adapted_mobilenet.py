"""NetAdapt on a MobileNet that reads digits: how its layers shrink, what they cost, and what accuracy is left.

The network is the shallow one of Howard et al. 2017 (table 5), without the five equal convolutions in the middle.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from osler.lab.filter_chain import layer_shapes
from osler.lab.latency import Clock, Timing, forward_times
from osler.lab.netadapt import LayerCost, Pace, Round, milliseconds_of, netadapt, total_cost
from osler.lab.plain_training import accuracy_of, adam, fit, seeded
from osler.lab.small_sets import digits
from osler.models.mobilenet_v1 import MobileNetV1

TUNED = 200  # digits that a proposal is trained on


@dataclass(frozen=True, slots=True)
class AdaptedMobileNet:
    """The rounds, and the whole network on digits that neither training nor choosing saw."""

    rounds: tuple[Round, ...]  # costs of the layers together, accuracies on the pictures to choose by
    model: nn.Module
    accuracy: tuple[float, float]  # before, and after the long training at the end
    times: tuple[Timing, Timing]  # of the whole network, not from the table


def adapted_mobilenet(
    *,
    share: float = 0.6,
    width: float = 0.125,
    side: int = 16,
    cost: LayerCost = milliseconds_of,
    clock: Clock = forward_times,
    pace: Pace | None = None,
    seed: int = 0,
) -> AdaptedMobileNet:
    """Trains a MobileNet on 600 digits and adapts it to a share of its cost.

    Each proposal is trained on 200 of them once; all are judged by 200 others; the result is trained for two epochs.

    Args:
        share: of the cost that is left as the budget, above 0.
        width: multiplies MobileNet's channels.
        side: to which the digits are enlarged, a multiple of 8.
        cost: of a layer; by default its time on this processor.
        clock: for the whole network before and after.
        pace: of the rounds.
        seed: of the weights and the order of the pictures.
    """
    data = digits(600, test=600)
    x, held = (_pictures(rows, side) for rows in (data.x, data.x_test))
    model = fit(shallow_mobilenet(width, seed=seed), x, data.y, epochs=8, batch=40, optimizer=adam(1e-2), seed=seed)

    def tune(proposal: nn.Module) -> nn.Module:
        with fresh_statistics(proposal):
            return fit(proposal, x[:TUNED], data.y[:TUNED], epochs=1, batch=40, optimizer=adam(5e-3), seed=seed)

    picture = 1, side, side
    budget = share * total_cost(layer_shapes(model, 1, (side, side)), cost)
    adapted = netadapt(
        model,
        pictures=picture,
        budget=budget,
        cost=cost,
        tune=tune,
        judge=lambda proposal: accuracy_of(proposal, held[:200], data.y_test[:200]),
        pace=pace,
    )
    final = fit(adapted.model, x, data.y, epochs=2, batch=40, optimizer=adam(5e-3), seed=seed)
    scores = [accuracy_of(each, held[200:], data.y_test[200:]) for each in (model, final)]
    return AdaptedMobileNet(
        adapted.rounds, final, (scores[0], scores[1]), (clock(model, picture), clock(final, picture))
    )


def shallow_mobilenet(width: float, *, seed: int = 0) -> MobileNetV1:
    """For small grey pictures of ten classes."""
    with seeded(seed):
        model = MobileNetV1(10, 1, stem="small", width=width, dropout=0.0)
    middle = model.stages[3]
    assert isinstance(middle, nn.Sequential)
    del middle[1:]
    return model


@contextmanager
def fresh_statistics(model: nn.Module) -> Iterator[None]:
    """Inside, norms forget what they saw and take the mean over all batches.

    Behind a layer that lost filters the statistics of before are wrong, and a few batches at the usual momentum leave
    most of them: proposals would be judged by that.
    """
    norms = [(module, module.momentum) for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm, _ in norms:
        norm.reset_running_stats()
        norm.momentum = None
    try:
        yield
    finally:
        for norm, momentum in norms:
            norm.momentum = momentum


def round_table(rounds: Sequence[Round]) -> str:
    """The rounds to be read."""
    lines = [f"{'layer':<28} {'filters':>7} {'cost':>12} {'accuracy, %':>12}"]
    for each in rounds:
        name, filters = (each.layer, str(each.filters)) if each.layer else ("(as it came)", "")
        lines.append(f"{name:<28} {filters:>7} {each.cost:>12,.5g} {100 * each.accuracy:>12.1f}")
    return "\n".join(lines)


def _pictures(rows: Tensor, side: int) -> Tensor:
    return interpolate(rows.view(-1, 1, 8, 8), size=(side, side)).to(torch.float32)
