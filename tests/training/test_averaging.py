"""The moving average of the weights against its definition, written out."""

import pytest
import torch
from torch import nn

from osler.training.averaging import WeightAverage


def model() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))


def disturb(module: nn.Module, seed: int) -> None:
    torch.manual_seed(seed)
    with torch.no_grad():
        for p in module.parameters():
            p.add_(torch.randn_like(p))
    module.train()
    module(torch.randn(8, 3))


@pytest.mark.craft("OP09")
def test_it_is_the_definition_and_its_shares_sum_to_one() -> None:
    module = model()
    average = WeightAverage(module, decay=0.6)
    seen, shares = [], []
    for t in range(1, 40):
        disturb(module, t)
        average.update(module)
        keep = min(0.6, (t - 1) / (t + 8))
        shares = [s * keep for s in shares] + [1 - keep]
        seen.append(module[0].weight.detach().clone())
        expected = sum(s * w for s, w in zip(shares, seen, strict=True))
        torch.testing.assert_close(average.model[0].weight, expected)
        assert sum(shares) == pytest.approx(1)
    assert average.decay_at(39) == 0.6


@pytest.mark.craft("OP09")
def test_the_average_of_a_constant_is_that_constant_from_the_first_update() -> None:
    module = model()
    average = WeightAverage(module, decay=0.999)
    disturb(module, 5)
    for _ in range(4):
        average.update(module)
        for ours, theirs in zip(average.model.parameters(), module.parameters(), strict=True):
            torch.testing.assert_close(ours, theirs.detach())


def test_buffers_are_copied_and_it_is_in_evaluation_mode() -> None:
    module = model()
    average = WeightAverage(module, decay=0.9)
    for t in range(3):
        disturb(module, t)
        average.update(module)
    assert dict(average.model.named_buffers()).keys() == dict(module.named_buffers()).keys()
    for ours, theirs in zip(average.model.buffers(), module.buffers(), strict=True):
        assert torch.equal(ours, theirs)
        assert ours.data_ptr() != theirs.data_ptr()
    assert not any(m.training for m in average.model.modules())
    assert not any(p.requires_grad for p in average.model.parameters())


def test_swapped_in_and_out_again_even_after_an_error() -> None:
    module = model()
    average = WeightAverage(module, decay=0.5)
    for t in range(3):
        disturb(module, t)
        average.update(module)
    current = {k: v.clone() for k, v in module.state_dict().items()}
    averaged = {k: v.clone() for k, v in average.model.state_dict().items()}
    assert not torch.equal(current["0.weight"], averaged["0.weight"])
    with average.swapped_into(module):
        assert all(torch.equal(v, averaged[k]) for k, v in module.state_dict().items())
        assert all(torch.equal(v, current[k]) for k, v in average.model.state_dict().items())
    with pytest.raises(ZeroDivisionError), average.swapped_into(module):
        _ = 1 / 0
    assert all(torch.equal(v, current[k]) for k, v in module.state_dict().items())
    assert all(torch.equal(v, averaged[k]) for k, v in average.model.state_dict().items())


def test_its_state_goes_round() -> None:
    module = model()
    first, second = WeightAverage(module, decay=0.9), WeightAverage(model(), decay=0.9)
    for t in range(3):
        disturb(module, t)
        first.update(module)
    second.load_state_dict(first.state_dict())
    disturb(module, 9)
    first.update(module)
    second.update(module)
    assert first.updates == second.updates == 4
    for ours, theirs in zip(first.model.state_dict().values(), second.model.state_dict().values(), strict=True):
        assert torch.equal(ours, theirs)


def test_a_buffer_that_a_module_puts_in_the_place_of_another_is_copied() -> None:
    class Counts(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(3, 2)
            self.register_buffer("seen", torch.zeros(()))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.seen = self.seen + len(x)
            return self.layer(x)

    module = Counts()
    average = WeightAverage(module, decay=0.9)
    for _ in range(3):
        module(torch.randn(8, 3))
        average.update(module)
    assert float(average.model.seen) == 24
    with average.swapped_into(module):
        module(torch.randn(8, 3))
    module(torch.randn(8, 3))
    average.update(module)
    assert float(average.model.seen) == 32
