"""Vital signs of a step against a slow, independent version."""

import pytest
import torch
from torch import nn

from osler.vitals.step_vitals import StepWatch


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), nn.Flatten(), nn.Linear(24, 5), nn.ReLU())


@pytest.mark.craft("OP23")
def test_norm_and_ratios_equal_those_counted_by_hand() -> None:
    module = network()
    optimizer = torch.optim.Adam(module.parameters(), lr=0.01)
    before = {n: p.detach().clone().double() for n, p in module.named_parameters()}
    with StepWatch(module, optimizer) as watch:
        for _ in range(3):
            before = {n: p.detach().clone().double() for n, p in module.named_parameters()}
            optimizer.zero_grad()
            module(torch.randn(4, 1, 4, 4)).square().sum().backward()
            optimizer.step()
            vitals = watch.read()
    squares = sum(float((p.grad.double() ** 2).sum()) for p in module.parameters())
    assert vitals.gradient_norm == pytest.approx(squares**0.5, rel=1e-5)
    assert list(vitals.update_ratios) == ["0.weight", "4.weight"]
    for name, ratio in vitals.update_ratios.items():
        now = module.get_parameter(name).detach().double()
        change = sum(float(d) ** 2 for d in (now - before[name]).flatten()) ** 0.5
        size = sum(float(d) ** 2 for d in before[name].flatten()) ** 0.5
        assert ratio == pytest.approx(change / size, rel=1e-4)


@pytest.mark.craft("OP23")
def test_a_unit_is_dead_when_it_never_fired_since_the_last_reading() -> None:
    module = nn.Sequential(nn.Linear(2, 4), nn.ReLU())
    with torch.no_grad():
        module[0].weight.copy_(torch.tensor([[1.0, 0.0], [-1.0, 0.0], [0.0, 0.0], [0.0, 1.0]]))
        module[0].bias.copy_(torch.tensor([0.0, 0.0, -1.0, 0.0]))
    optimizer = torch.optim.SGD(module.parameters(), lr=0.0)

    def run(inputs: list[list[float]]) -> None:
        module(torch.tensor(inputs)).sum().backward()
        optimizer.step()

    with StepWatch(module, optimizer) as watch:
        run([[1.0, -1.0]])  # unit 0 fires
        run([[-1.0, -1.0]])  # unit 1 fires
        assert watch.read().dead_units == {"1": 0.5}
        run([[1.0, 1.0]])
        assert watch.read().dead_units == {"1": 0.5}
        module.eval()
        module(torch.tensor([[-1.0, 1.0]]))  # evaluation does not count
        module.train()
        run([[0.0, -1.0]])
        assert watch.read().dead_units == {"1": 1.0}


def test_pictures_count_by_channel() -> None:
    module = nn.Sequential(nn.Conv2d(1, 3, 1), nn.ReLU())
    with torch.no_grad():
        module[0].weight.zero_()
        module[0].bias.copy_(torch.tensor([1.0, -1.0, -1.0]))
    optimizer = torch.optim.SGD(module.parameters(), lr=0.0)
    with StepWatch(module, optimizer) as watch:
        module(torch.zeros(2, 1, 4, 4)).sum().backward()
        optimizer.step()
        assert watch.read().dead_units == {"1": pytest.approx(2 / 3)}


def test_it_leaves_no_hook_no_change_and_no_trace_in_the_random_state() -> None:
    def train(watched: bool) -> tuple[list[torch.Tensor], torch.Tensor]:
        module = network()
        optimizer = torch.optim.SGD(module.parameters(), lr=0.1)
        watch = StepWatch(module, optimizer) if watched else None
        for _ in range(3):
            module(torch.randn(4, 1, 4, 4)).sum().backward()
            optimizer.step()
            if watch is not None:
                watch.read()
        return [p.detach() for p in module.parameters()], torch.get_rng_state()

    plain, watched = train(False), train(True)
    assert all(torch.equal(a, b) for a, b in zip(plain[0], watched[0], strict=True))
    assert torch.equal(plain[1], watched[1])
    module = network()
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1)
    watch = StepWatch(module, optimizer)
    with pytest.raises(ValueError, match="no step"):
        watch.read()
    watch.close()
    assert not any(m._forward_hooks for m in module.modules())
    assert not optimizer._optimizer_step_pre_hooks
    assert not optimizer._optimizer_step_post_hooks
