import pytest
import torch
from torch import nn

from osler.nn.multi_task import SharedTrunk, soft_sharing_penalty


@pytest.mark.craft("RE23")
def test_the_trunk_is_one_and_gets_the_gradient_of_every_task():
    torch.manual_seed(0)
    trunk = nn.Linear(4, 3).double()
    model = SharedTrunk(trunk, {"a": nn.Linear(3, 2).double(), "b": nn.Linear(3, 5).double()})
    x = torch.randn(6, 4, dtype=torch.float64)
    outputs = model(x)
    assert {k: v.shape for k, v in outputs.items()} == {"a": (6, 2), "b": (6, 5)}
    parts = [torch.autograd.grad(v.square().sum(), trunk.weight, retain_graph=True)[0] for v in outputs.values()]
    (outputs["a"].square().sum() + outputs["b"].square().sum()).backward()
    assert torch.allclose(trunk.weight.grad, parts[0] + parts[1])
    assert all(p.abs().max() > 0 for p in parts)


@pytest.mark.craft("RE24")
def test_the_penalty_is_the_squared_distance_of_the_shared_parameters():
    a, b = (nn.Sequential(nn.Linear(3, 2), nn.Linear(2, outputs)) for outputs in (4, 5))
    expected = (a[0].weight - b[0].weight).square().sum() + (a[0].bias - b[0].bias).square().sum()
    assert soft_sharing_penalty([a, b]).item() == pytest.approx(expected.item())  # heads of other sizes are left alone
    third = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 6))
    pairs = sum(soft_sharing_penalty(p).item() for p in ([a, b], [a, third], [b, third]))
    assert soft_sharing_penalty([a, b, third]).item() == pytest.approx(pairs)
    assert soft_sharing_penalty([a, a]).item() == 0


@pytest.mark.craft("RE24")
def test_the_penalty_pulls_the_networks_towards_each_other():
    a, b = nn.Linear(3, 2), nn.Linear(3, 2)
    soft_sharing_penalty([a, b]).backward()
    assert torch.allclose(a.weight.grad, 2 * (a.weight - b.weight))
    assert torch.allclose(b.weight.grad, -a.weight.grad)


def test_what_cannot_be_shared_is_refused():
    with pytest.raises(ValueError, match="given 1"):
        soft_sharing_penalty([nn.Linear(1, 1)])
    with pytest.raises(ValueError, match="share no parameter"):
        soft_sharing_penalty([nn.Linear(1, 2), nn.Linear(3, 4)])
    with pytest.raises(ValueError, match="at least one head"):
        SharedTrunk(nn.Linear(1, 1), {})
