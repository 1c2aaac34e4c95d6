import pytest
import torch
from torch import nn

from osler.lab.latency import Pictures, Timing, forward_times
from osler.lab.speed_ups import folded, full_convolutions, speed_up_table, speed_ups
from osler.models.cost import multiply_adds

WAYS = ["depthwise-separable", "norms folded", "filters pruned", "int8 weights", "separable, pruned, folded"]


def by_counting(model: nn.Module, picture: Pictures) -> Timing:
    """A processor of a million multiply-adds in a millisecond, on which a norm takes as long as a thousand of them."""
    norms = sum(isinstance(module, nn.BatchNorm2d) for module in model.modules())
    return Timing((multiply_adds(model, picture[0], picture[1:]) / 1e6 + norms / 1e3,) * 20)


@pytest.mark.craft("LW14")
def test_mobilenet_of_full_convolutions_has_the_published_cost() -> None:
    """Howard et al. 2017, table 4: 4,866 million multiply-adds, 29.3 million parameters."""
    with torch.device("meta"):
        model = full_convolutions()
        assert multiply_adds(model, 3, (224, 224)) / 1e6 == pytest.approx(4866, abs=2)
    assert sum(p.numel() for p in model.parameters()) / 1e6 == pytest.approx(29.3, abs=0.05)


@pytest.mark.craft("LW14")
def test_each_way_tells_multiply_adds_and_times_before_and_after() -> None:
    rows = {row.way: row for row in speed_ups(width=0.25, side=32, clock=by_counting)}
    assert list(rows) == WAYS
    for row in rows.values():
        assert row.gain == pytest.approx(row.times[0].median / row.times[1].median)
        assert row.times[0].median == pytest.approx(row.multiply_adds[0] / 1e6, abs=0.03)
    separable, norms, pruned, int8, all_together = rows.values()
    assert 5 < separable.multiply_adds[0] / separable.multiply_adds[1] < 9
    assert norms.multiply_adds[0] == norms.multiply_adds[1]
    assert norms.times[0].median - norms.times[1].median == pytest.approx(14 / 1e3)  # none of the fourteen is left
    assert norms.difference < 1e-5  # the same network
    assert 3 < pruned.multiply_adds[0] / pruned.multiply_adds[1] < 4.1  # half of the filters on both sides
    assert int8.multiply_adds[0] == int8.multiply_adds[1] > 0
    assert 1e-6 < int8.difference < 0.1  # nearly the same network
    assert all_together.multiply_adds[1] < min(separable.multiply_adds[1], pruned.multiply_adds[1]) / 2
    table = speed_up_table(list(rows.values()))
    assert len(table.splitlines()) == 1 + len(WAYS)
    for row in rows.values():
        assert f"{row.multiply_adds[0] / 1e6:.1f} -> {row.multiply_adds[1] / 1e6:.1f}" in table
        assert f"{row.times[0].median:.2f} -> {row.times[1].median:.2f}" in table


@pytest.mark.craft("LW14")
def test_the_clock_of_this_processor_keeps_twenty_runs_of_each() -> None:
    for row in speed_ups(width=0.125, side=32):
        for timing in row.times:
            assert len(timing.runs) >= 20
            assert min(timing.runs) > 0
            assert min(timing.runs) <= timing.median <= max(timing.runs)


@pytest.mark.craft("LW14")
def test_the_median_does_not_follow_a_run_that_was_held_up() -> None:
    assert Timing((*[2.0] * 19, 900.0)).median == 2.0


@pytest.mark.craft("LW14")
def test_only_the_runs_after_the_warming_up_are_kept() -> None:
    """In evaluation mode, on the picture asked for; the model's mode comes back."""
    calls = []

    class Seen(nn.Module):
        def forward(self, pictures: torch.Tensor) -> torch.Tensor:
            calls.append((tuple(pictures.shape), self.training, torch.is_inference_mode_enabled()))
            return pictures

    model = Seen().train()
    assert len(forward_times(model, (3, 4, 5), runs=25).runs) == 25
    assert len(calls) > 25
    assert set(calls) == {((1, 3, 4, 5), False, True)}
    assert model.training


def test_folding_leaves_the_original_as_it_is() -> None:
    model = full_convolutions(width=0.125)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in folded(model).modules())
    assert sum(isinstance(module, nn.BatchNorm2d) for module in model.modules()) == 14
