"""Updates without an optimizer are recorded like those of one, and an optimizer ends the looking."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from osler.vitals.evidence import OptimizerSeen
from osler.vitals.watch import Watch


def _train(steps: int, *, clear: bool = True, write_back: bool = True) -> tuple[list[float], Watch]:
    torch.manual_seed(0)
    x, y = torch.randn(64, 8), torch.randn(64, 1)
    losses = []
    with Watch() as watch:
        net = nn.Linear(8, 1)
        for _ in range(steps):
            loss = functional.mse_loss(net(x), y)
            loss.backward()
            losses.append(float(loss.detach()))
            with torch.no_grad():
                for p in net.parameters():
                    assert p.grad is not None
                    if write_back:
                        p.sub_(0.05 * p.grad)
                    if clear:
                        p.grad = None
    return losses, watch


def _by_hand(watch: Watch) -> OptimizerSeen:
    return next(o for o in watch.evidence.optimizers if o.kind == "by hand")


def test_updates_by_hand_are_counted_and_measured() -> None:
    _, watch = _train(30)
    seen = _by_hand(watch)
    assert 25 <= seen.steps <= 30  # the first few pass before it is sure
    assert seen.parameters == ["weight", "bias"] or {n.rpartition(".")[2] for n in seen.parameters} == {
        "weight",
        "bias",
    }
    assert seen.stale_steps == 0
    sample = seen.samples[-1]
    for name, update in sample.updates.items():
        assert update == pytest.approx(0.05 * sample.gradients[name], rel=1e-3)
    assert watch.evidence.steps == seen.steps


def test_gradients_that_pile_up_are_noticed() -> None:
    seen = _by_hand(_train(30, clear=False)[1])
    assert seen.stale_steps >= seen.looked - 2


def test_what_does_not_move_is_no_update() -> None:
    _, watch = _train(30, write_back=False)
    assert not watch.evidence.optimizers
    assert watch.evidence.steps == 0


def test_an_optimizer_ends_the_looking() -> None:
    x = torch.randn(16, 4)
    with Watch() as watch:
        net = nn.Linear(4, 1)
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        for _ in range(10):
            optimizer.zero_grad()
            net(x).square().mean().backward()
            optimizer.step()
    assert [o.kind for o in watch.evidence.optimizers] == ["SGD"]
    assert not watch.state.at_forward
