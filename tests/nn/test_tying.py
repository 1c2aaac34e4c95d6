import copy

import pytest
import torch
from torch import nn

from osler.nn.tying import Repeated, TiedAutoencoder


def weights(model):
    return sum(p.numel() for p in model.parameters() if p.ndim == 2)


@pytest.mark.craft("RE28")
def test_a_tied_autoencoder_has_half_the_weights_and_one_summed_gradient():
    torch.manual_seed(0)
    tied = TiedAutoencoder(12, 5).double()
    untied = TiedAutoencoder(12, 5, tied=False).double()
    assert weights(tied) == weights(untied) / 2
    with torch.no_grad():
        untied.encoder.load_state_dict(tied.encoder.state_dict())
        untied.decoder.weight.copy_(tied.encoder.weight.t())
        untied.decoder.bias.copy_(tied.decoder.bias)
    x = torch.randn(7, 12, dtype=torch.float64)
    assert torch.allclose(tied(x), untied(x))
    for model in (tied, untied):
        (model(x) - x).square().mean().backward()
    both = untied.encoder.weight.grad + untied.decoder.weight.grad.t()
    assert torch.allclose(tied.encoder.weight.grad, both, atol=1e-12)
    assert untied.decoder.weight.grad.abs().max() > 1e-3


@pytest.mark.craft("RE28")
def test_a_tied_autoencoder_learns_and_stays_tied():
    torch.manual_seed(0)
    model = TiedAutoencoder(16, 4)
    x = torch.randn(64, 4) @ torch.randn(4, 16)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    first = (model(x) - x).square().mean().item()
    for _ in range(200):
        optimizer.zero_grad()
        loss = (model(x) - x).square().mean()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.5 * first
    assert model.decoder.weight is model.encoder.weight


@pytest.mark.craft("RE28")
def test_a_copy_of_a_tied_autoencoder_is_tied():
    model = copy.deepcopy(TiedAutoencoder(6, 3)).double()
    assert model.decoder.weight is model.encoder.weight


@pytest.mark.craft("RE29")
@pytest.mark.parametrize("times", [1, 2, 5])
def test_k_uses_of_one_tensor_are_a_kth_of_the_parameters_and_the_sum_of_the_gradients(times):
    torch.manual_seed(0)
    shared = Repeated(nn.Sequential(nn.Linear(6, 6), nn.Tanh()), times).double()
    apart = nn.Sequential(*(copy.deepcopy(shared.layer) for _ in range(times)))
    count = [sum(p.numel() for p in m.parameters()) for m in (shared, apart)]
    assert count[0] * times == count[1]
    x = torch.randn(9, 6, dtype=torch.float64)
    assert torch.equal(shared(x), apart(x))
    for model in (shared, apart):
        model(x).square().sum().backward()
    partial = [copy_[0].weight.grad for copy_ in apart]
    assert torch.allclose(shared.layer[0].weight.grad, torch.stack(partial).sum(0), atol=1e-12)


def test_a_layer_cannot_be_repeated_no_times():
    with pytest.raises(ValueError, match="times=0"):
        Repeated(nn.Identity(), 0)
