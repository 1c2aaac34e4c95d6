"""Restricted Boltzmann machines against the enumeration of all their states, and layers that learn without labels."""

from collections.abc import Callable
from itertools import product

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from osler.nn.boltzmann import RestrictedBoltzmannMachine
from osler.nn.greedy_pretraining import corrupted, learn_autoencoder, learn_boltzmann, pretrain_layers
from osler.nn.unit_interval import as_probabilities

VISIBLE, HIDDEN = 4, 3


def states(units: int) -> Tensor:
    return torch.tensor(list(product((0.0, 1.0), repeat=units)), dtype=torch.float64)


def machine(seed: int = 0, spread: float = 1.0, units: str = "binary") -> RestrictedBoltzmannMachine:
    generator = torch.Generator().manual_seed(seed)
    rbm = RestrictedBoltzmannMachine(nn.Linear(VISIBLE, HIDDEN, dtype=torch.float64), units=units)
    with torch.no_grad():
        for parameter in rbm.parameters():
            parameter.copy_(spread * torch.randn(parameter.shape, generator=generator, dtype=torch.float64))
    return rbm


def energies(rbm: RestrictedBoltzmannMachine, visible: Tensor) -> Tensor:
    """[visible states, hidden states], from the definition."""
    hidden = states(HIDDEN)
    weight, hidden_bias = rbm.layer.weight, rbm.layer.bias
    bound = visible @ rbm.visible_bias
    if rbm.units == "gaussian":
        bound = -(visible - rbm.visible_bias).square().sum(1) / 2
    return -bound[:, None] - hidden @ hidden_bias - visible @ weight.T @ hidden.T


@pytest.mark.parametrize("units", ["binary", "gaussian"])
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 1000))
def test_free_energy_sums_the_hidden_units_out(units: str, seed: int) -> None:
    rbm = machine(seed, units=units)
    visible = states(VISIBLE) if units == "binary" else torch.randn(9, VISIBLE, dtype=torch.float64)
    torch.testing.assert_close(rbm.free_energy(visible), -(-energies(rbm, visible)).logsumexp(1))


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 1000))
def test_conditionals_are_those_of_the_joint_distribution(seed: int) -> None:
    rbm = machine(seed)
    joint = (-energies(rbm, states(VISIBLE))).flatten().softmax(0).view(2**VISIBLE, 2**HIDDEN)
    given_visible = joint / joint.sum(1, keepdim=True)
    torch.testing.assert_close(rbm.hidden_given(states(VISIBLE)), given_visible @ states(HIDDEN))
    given_hidden = joint / joint.sum(0, keepdim=True)
    torch.testing.assert_close(rbm.visible_given(states(HIDDEN)), given_hidden.T @ states(VISIBLE))


def test_gaussian_units_have_the_mean_of_their_density() -> None:
    rbm = machine(1, units="gaussian")
    hidden = states(HIDDEN)[5:6]
    grid = torch.linspace(-12, 12, 4001, dtype=torch.float64)
    means = []
    for unit in range(VISIBLE):
        field = float(hidden @ rbm.layer.weight[:, unit].detach())
        density = (field * grid - (grid - rbm.visible_bias[unit].detach()).square() / 2).softmax(0)
        means.append(float(density @ grid))
        assert float(density @ grid.square()) - means[-1] ** 2 == pytest.approx(1.0, rel=1e-3)  # unit variance
    assert rbm.visible_given(hidden)[0].tolist() == pytest.approx(means, rel=1e-4)


def exact_gradient(rbm: RestrictedBoltzmannMachine, data: Tensor) -> list[Tensor]:
    """Of the mean negative log-likelihood, with the sum over all states."""
    everything = (-rbm.free_energy(states(VISIBLE))).logsumexp(0)
    likelihood = (rbm.free_energy(data) + everything).mean()
    return list(torch.autograd.grad(likelihood, list(rbm.parameters())))


def data(rows: int) -> Tensor:
    """Rows whose first two units agree, and whose last two do not."""
    bits = torch.randint(0, 2, (rows, 2), generator=torch.Generator().manual_seed(0)).double()
    return torch.stack([bits[:, 0], bits[:, 0], bits[:, 1], 1 - bits[:, 1]], dim=1)


def test_long_contrastive_divergence_is_the_gradient_of_the_likelihood() -> None:
    torch.manual_seed(0)
    rbm, rows = machine(3, spread=0.7), data(40_000)
    estimate = torch.autograd.grad(rbm.contrastive_divergence(rows, steps=40), list(rbm.parameters()))
    for found, true in zip(estimate, exact_gradient(rbm, rows), strict=True):
        torch.testing.assert_close(found, true, atol=0.015, rtol=0)
        assert true.abs().max() > 0.03


def test_one_step_is_the_difference_of_two_correlations() -> None:
    """CD-1 of the papers: <v p(h|v)> on the data less the same after one round; mean fields need no second draw."""
    rbm, rows = machine(4), data(50)
    torch.manual_seed(5)
    weight, hidden_bias, visible_bias = torch.autograd.grad(
        rbm.contrastive_divergence(rows, mean_field=True), [rbm.layer.weight, rbm.layer.bias, rbm.visible_bias]
    )
    torch.manual_seed(5)
    with torch.no_grad():
        up = rbm.hidden_given(rows)
        again = rbm.visible_given(torch.bernoulli(up))
        up_again = rbm.hidden_given(again)
    torch.testing.assert_close(-weight, (up.T @ rows - up_again.T @ again) / 50)
    torch.testing.assert_close(-hidden_bias, (up - up_again).mean(0))
    torch.testing.assert_close(-visible_bias, (rows - again).mean(0))


def test_sampling_ends_in_the_machines_own_distribution() -> None:
    torch.manual_seed(0)
    rbm = machine(6, spread=0.7)
    drawn = rbm.gibbs(torch.zeros(60_000, VISIBLE, dtype=torch.float64), steps=30)
    numbers = (drawn @ torch.tensor([8.0, 4.0, 2.0, 1.0], dtype=torch.float64)).long()
    shares = torch.bincount(numbers, minlength=16) / len(drawn)
    expected = (-rbm.free_energy(states(VISIBLE))).softmax(0).float()
    torch.testing.assert_close(shares, expected, atol=0.01, rtol=0)


def test_contrastive_divergence_raises_the_likelihood() -> None:
    torch.manual_seed(0)
    rbm, rows = machine(7, spread=0.05), data(400)

    @torch.no_grad()
    def likelihood() -> float:
        everything = (-rbm.free_energy(states(VISIBLE))).logsumexp(0)
        return float((-rbm.free_energy(rows) - everything).mean())

    before = likelihood()
    optimizer = torch.optim.SGD(rbm.parameters(), lr=0.2, momentum=0.9)
    for _ in range(200):
        optimizer.zero_grad()
        rbm.contrastive_divergence(rows).backward()
        optimizer.step()
    assert before == pytest.approx(4 * torch.tensor(0.5).log().item(), abs=0.1)  # nothing known: four coins
    assert likelihood() > 2 * torch.tensor(0.5).log().item() - 0.3  # nearly all there is to know: two coins


def test_the_visible_bias_starts_at_the_datas_means() -> None:
    rbm, rows = machine(spread=0.0), torch.tensor([[1.0, 0, 0, 1], [1, 1, 0, 0], [1, 0, 0, 0]], dtype=torch.float64)
    rbm.start(rows)
    means = rbm.visible_given(torch.zeros(1, HIDDEN, dtype=torch.float64))[0]
    assert means.tolist() == pytest.approx([0.75, 1 / 3, 0.25, 1 / 3])  # certain ones held off by one picture in four
    gaussian = machine(spread=0.0, units="gaussian")
    gaussian.start(rows)
    assert gaussian.visible_bias.tolist() == pytest.approx(rows.mean(0).tolist())


def blobs(rows: int, inputs: int = 20) -> Tensor:
    """Rows in [0, 1] that follow from three numbers."""
    generator = torch.Generator().manual_seed(0)
    return torch.sigmoid(3 * torch.randn(rows, 3, generator=generator) @ torch.randn(3, inputs, generator=generator))


def small_layer(inputs: int = 20, outputs: int = 12) -> nn.Linear:
    torch.manual_seed(0)
    layer = nn.Linear(inputs, outputs)
    nn.init.normal_(layer.weight, 0.0, 0.01)
    return layer


@pytest.mark.parametrize("learn", [learn_boltzmann, learn_autoencoder])
def test_reconstruction_improves(learn: Callable[..., list[float]]) -> None:
    layer, rows = small_layer(), blobs(500)
    errors = learn(layer, rows, epochs=20)
    assert len(errors) == 20
    knowing_means_only = float(rows.var(0, correction=0).mean())
    assert errors[-1] < 0.25 * knowing_means_only
    assert errors[-1] < errors[0]


def test_gaussian_units_reconstruct_numbers_of_any_size() -> None:
    rows = blobs(500) * 4 - 2
    errors = learn_boltzmann(small_layer(), rows, units="gaussian", epochs=40, lr=0.003)
    assert errors[-1] < 0.5 * float(rows.var(0, correction=0).mean())


def test_layers_learn_from_the_bottom_up_and_the_log_says_how() -> None:
    layers, rows = [small_layer(20, 12), small_layer(12, 8)], blobs(300)
    seen: list[Tensor] = []

    def learn(layer: nn.Linear, inputs: Tensor) -> list[float]:
        seen.append(inputs)
        return learn_boltzmann(layer, inputs, epochs=3)

    log = pretrain_layers(layers, rows, learn)
    assert [(one.number, one.inputs, one.outputs, len(one.errors)) for one in log] == [(1, 20, 12, 3), (2, 12, 8, 3)]
    assert "Layer 2, 12 to 8, pretrained for 3 epochs" in str(log[1])
    torch.testing.assert_close(seen[1], torch.sigmoid(layers[0](rows)))  # as the first layer is after its own training


@settings(max_examples=20, deadline=None)
@given(share=st.floats(0, 0.99), inputs=st.integers(1, 40))
def test_corruption_hides_the_exact_share_of_each_row(share: float, inputs: int) -> None:
    rows = torch.rand(6, inputs) + 0.5
    hidden = corrupted(rows, share)
    assert ((hidden == 0).sum(1) == round(share * inputs)).all()
    assert torch.equal(hidden[hidden != 0], rows[hidden != 0])


def test_a_denoising_layer_fills_in_what_is_hidden() -> None:
    """Vincent et al. 2008: with noise in training, a corrupted row is reconstructed better."""
    rows = blobs(500)

    def error(corruption: float) -> float:
        layer = small_layer()
        torch.manual_seed(1)
        learn_autoencoder(layer, rows, corruption=corruption, epochs=20)
        torch.manual_seed(2)
        with torch.no_grad():
            code = torch.sigmoid(layer(corrupted(rows, 0.25)))
            decoded = torch.sigmoid(code @ layer.weight + torch.logit(rows.mean(0)))
            return float((decoded - decoded.mean(0) - rows + rows.mean(0)).square().mean())

    assert error(0.25) < error(0.0)


@settings(max_examples=10, deadline=None)
@given(low=st.floats(-3, 0), span=st.floats(0.5, 4))
def test_a_layer_answers_the_same_in_other_units_of_measure(low: float, span: float) -> None:
    torch.manual_seed(0)
    layer, rows = nn.Linear(6, 4), low + span * torch.rand(30, 6)
    before = layer(rows).detach()
    with as_probabilities(layer, rows) as unit:
        assert float(unit.min()) == 0
        assert float(unit.max()) == pytest.approx(1, abs=1e-6)
        torch.testing.assert_close(layer(unit), before, rtol=1e-4, atol=1e-5)
        with torch.no_grad():
            layer.weight.mul_(2)
        inside = layer(unit).detach()
    torch.testing.assert_close(layer(rows).detach(), inside, rtol=1e-4, atol=1e-5)


def test_a_layer_without_bias_is_refused() -> None:
    with pytest.raises(ValueError, match="needs a bias"):
        RestrictedBoltzmannMachine(nn.Linear(3, 2, bias=False))
