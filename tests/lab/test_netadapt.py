from copy import deepcopy
from itertools import pairwise

import pytest
import torch
from torch import nn

from osler.lab.adapted_mobilenet import adapted_mobilenet, fresh_statistics, round_table, shallow_mobilenet
from osler.lab.filter_chain import filter_layers, keep_filters, largest_filters, layer_shapes, narrowed
from osler.lab.latency import Timing
from osler.lab.netadapt import Adapted, Pace, milliseconds_of, multiply_adds_of, netadapt, total_cost
from osler.lab.plain_training import seeded
from osler.models.cost import multiply_adds
from osler.models.mobilenet_v1 import MobileNetV1
from osler.models.registry import create_model
from osler.nn.convolution import conv_norm_act
from osler.nn.depthwise_separable import depthwise_separable
from osler.structures.errors import RecipeError

PICTURE = (1, 12, 12)


def chain() -> nn.Sequential:
    """Convolution, depthwise-separable convolution, and a linear layer that reads several positions of a channel."""
    with seeded(0):
        features = conv_norm_act(1, 12), depthwise_separable(12, 20, stride=2), conv_norm_act(20, 16, stride=2)
        model = nn.Sequential(*features, nn.Flatten(), nn.Linear(16 * 9, 10))
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                nn.init.uniform_(module.weight, 0.5, 1.5)
                nn.init.normal_(module.bias)
    return model.eval()


def spread(model: nn.Module) -> float:
    """Stands for an accuracy: what the outputs for one picture differ by."""
    model.eval()
    with torch.no_grad():
        return float(model(torch.ones(1, *PICTURE)).std())


def untouched(model: nn.Module) -> nn.Module:
    return model


def adapted(model: nn.Module, budget: float, pace: Pace | None = None) -> Adapted:
    return netadapt(
        model, pictures=PICTURE, budget=budget, cost=multiply_adds_of, tune=untouched, judge=spread, pace=pace
    )


@pytest.mark.craft("LW11")
@pytest.mark.parametrize("number", range(3))
def test_a_filter_that_answers_nothing_can_be_taken_out_unseen(number: int) -> None:
    """With everything that belongs to it: norms, depthwise kernels, and what the next layer reads."""
    model = chain()
    layer = filter_layers(model)[number]
    gone = torch.tensor([1, 4, 7])
    for name in layer.carriers:
        norm = model.get_submodule(name)
        if isinstance(norm, nn.BatchNorm2d):
            norm.weight.data[gone], norm.bias.data[gone] = 0, 0
    channels = model.get_submodule(layer.name).out_channels
    kept = torch.tensor([i for i in range(channels) if i not in gone])
    pictures = torch.randn(5, *PICTURE)
    narrow = keep_filters(model, layer, kept)
    torch.testing.assert_close(narrow(pictures), model(pictures))
    assert narrow.get_submodule(layer.name).out_channels == channels - 3
    assert sum(p.numel() for p in narrow.parameters()) < sum(p.numel() for p in model.parameters())


def test_the_largest_filters_stay() -> None:
    model = chain()
    layer = filter_layers(model)[0]
    weight = model.get_submodule(layer.name).weight.data
    weight *= torch.tensor([3.0, 1, 5, 1, 1, 9, 1, 1, 1, 1, 1, 7]).view(-1, 1, 1, 1) / weight.flatten(1).norm(
        dim=1
    ).view(-1, 1, 1, 1)
    assert largest_filters(model, layer, 4).tolist() == [0, 2, 5, 11]


def test_narrowed_keeps_a_share_of_every_layer() -> None:
    model = narrowed(chain(), 0.5)
    assert [model.get_submodule(layer.name).out_channels for layer in filter_layers(model)] == [6, 10, 8]
    assert [narrowed(chain(), 1e-3).get_submodule(layer.name).out_channels for layer in filter_layers(model)] == [1] * 3


@pytest.mark.craft("LW11")
def test_costs_from_shapes_are_what_is_counted() -> None:
    for model in (chain(), MobileNetV1(10, 1, stem="small", width=0.25)):
        shapes = layer_shapes(model, PICTURE[0], PICTURE[1:])
        assert total_cost(shapes, multiply_adds_of) == multiply_adds(model, PICTURE[0], PICTURE[1:])


@pytest.mark.craft("LW11")
@pytest.mark.parametrize("share", [0.9, 0.5, 0.3])
def test_each_round_takes_its_step_by_one_layer_until_the_budget(share: float) -> None:
    model, pace = chain(), Pace(share=0.12, decay=0.9)
    before = deepcopy(model.state_dict())
    start = multiply_adds(model, PICTURE[0], PICTURE[1:])
    budget = share * start
    found = adapted(model, budget, pace)
    first, *rounds = found.rounds
    assert (first.layer, first.cost, first.accuracy) == ("", start, spread(model))
    for i, (last, this) in enumerate(pairwise(found.rounds)):
        assert last.cost > budget  # it goes on only as long as it must
        assert this.cost <= max(budget, last.cost - pace.step(start, i)) < last.cost
        assert this.accuracy == max(this.others)
        assert 2 <= len(this.others) <= 3
    assert rounds[-1].cost <= budget
    assert rounds[-1].cost == multiply_adds(found.model, PICTURE[0], PICTURE[1:])
    assert rounds[-1].accuracy == spread(found.model)
    assert found.model.get_submodule(rounds[-1].layer).out_channels == rounds[-1].filters
    torch.testing.assert_close(model.state_dict(), before, rtol=0, atol=0)


@pytest.mark.craft("LW11")
def test_a_layer_loses_no_more_filters_than_it_must() -> None:
    """One filter more, and the round would not have reached its limit."""
    model = chain()
    start = multiply_adds(model, PICTURE[0], PICTURE[1:])
    found = adapted(model, 0.95 * start, Pace(share=0.5))
    chosen = found.rounds[1]
    layer = next(layer for layer in filter_layers(model) if layer.name == chosen.layer)
    wider = keep_filters(model, layer, torch.arange(chosen.filters + 1))
    assert multiply_adds(wider, PICTURE[0], PICTURE[1:]) > 0.95 * start >= chosen.cost


def test_a_step_that_no_layer_can_make_is_refused() -> None:
    with pytest.raises(RecipeError, match="smaller steps"):
        adapted(chain(), 1.0, Pace(share=0.99))


def test_networks_that_branch_are_refused() -> None:
    with pytest.raises(RecipeError, match="no straight chain"):
        filter_layers(create_model("resnet18"))


def test_filters_in_groups_are_refused() -> None:
    with pytest.raises(RecipeError, match="2 groups"):
        filter_layers(nn.Sequential(nn.Conv2d(4, 8, 3, groups=2), nn.Conv2d(8, 4, 1)))


@pytest.mark.slow
@pytest.mark.craft("LW11")
def test_a_mobilenet_is_adapted_to_three_quarters_of_its_cost() -> None:
    """Its accuracy is logged in every round; trained on, it reads digits still, where a guess is right in one of ten."""
    told = adapted_mobilenet(
        share=0.75, cost=multiply_adds_of, clock=lambda model, picture: Timing((1.0,)), pace=Pace(share=0.13)
    )
    costs = [each.cost for each in told.rounds]
    assert len(costs) >= 3
    assert all(after < before for before, after in pairwise(costs))
    assert costs[-1] <= 0.75 * costs[0]
    assert multiply_adds(told.model, 1, (16, 16)) == costs[-1]
    assert all(0.6 < each.accuracy <= 1 for each in told.rounds)
    assert told.accuracy[0] > 0.85
    assert told.accuracy[1] > 0.75
    lines = round_table(told.rounds).splitlines()
    assert len(lines) == len(told.rounds) + 1
    assert all(each.layer in line for each, line in zip(told.rounds, lines[1:], strict=True))


@pytest.mark.craft("LW11")
def test_the_clock_of_this_processor_fills_the_table() -> None:
    """Maps are large, so that a layer's time follows its filters; what was measured once stays."""
    with seeded(0):
        body = conv_norm_act(1, 16), conv_norm_act(16, 48), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(48, 10)
        model = nn.Sequential(*body).eval()
    picture = 1, 40, 40
    start = total_cost(layer_shapes(model, 1, picture[1:]), milliseconds_of)
    assert start > 0
    assert total_cost(layer_shapes(model, 1, picture[1:]), milliseconds_of) == start
    found = netadapt(
        model, pictures=picture, budget=0.9 * start, cost=milliseconds_of, tune=untouched, judge=lambda model: 0.5
    )
    costs = [each.cost for each in found.rounds]
    assert costs == sorted(costs, reverse=True)
    assert 0 < costs[-1] <= 0.9 * start


def test_the_shallow_mobilenet_has_a_third_fewer_layers() -> None:
    assert (len(filter_layers(MobileNetV1(10, 1, width=0.125))), len(filter_layers(shallow_mobilenet(0.125)))) == (
        14,
        9,
    )


def test_fresh_statistics_are_of_the_batches_seen_alone() -> None:
    norm = nn.BatchNorm2d(1)
    norm.running_mean.fill_(1000.0)
    batches = torch.randn(3, 8, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    with fresh_statistics(nn.Sequential(norm)):
        for batch in batches:
            norm(batch)
    torch.testing.assert_close(norm.running_mean, batches.mean().view(1))
    assert norm.momentum == 0.1
