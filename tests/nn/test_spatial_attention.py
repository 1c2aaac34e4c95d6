"""Soft and hard attention over positions, and the estimator by which the hard one learns."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from osler.nn.attention import HardSpatialAttention, Reinforce, SoftSpatialAttention, SpatialWeights


@settings(max_examples=20, deadline=None)
@given(
    channels=st.integers(1, 5),
    height=st.integers(1, 5),
    width=st.integers(1, 5),
    query=st.sampled_from([0, 3]),
    seed=st.integers(0, 99),
)
def test_weights_are_positive_and_sum_to_one(channels: int, height: int, width: int, query: int, seed: int) -> None:
    torch.manual_seed(seed)
    asked = torch.randn(2, query) if query else None
    weights = SpatialWeights(channels, 4, query=query)(torch.randn(2, channels, height, width), asked).exp()
    assert weights.shape == (2, height, width)
    assert (weights > 0).all()
    torch.testing.assert_close(weights.sum((1, 2)), torch.ones(2))


def test_soft_attention_is_the_weighted_mean_and_moves_with_the_picture() -> None:
    torch.manual_seed(0)
    attention, x = SoftSpatialAttention(3, 8), torch.randn(2, 3, 4, 5)
    weights = attention.weights(x).exp()
    torch.testing.assert_close(attention(x), (weights[:, None] * x).sum((2, 3)))
    turned = attention.weights(x.flip(3)).exp()
    torch.testing.assert_close(turned, weights.flip(2))
    torch.testing.assert_close(attention(x.flip(3)), attention(x))
    nn.init.zeros_(attention.weights.score.weight)
    torch.testing.assert_close(attention(x), x.mean((2, 3)))


def test_the_query_says_where_to_look() -> None:
    torch.manual_seed(0)
    attention, x = SoftSpatialAttention(3, 8, query=2), torch.randn(1, 3, 4, 4)
    one, other = (attention.weights(x, torch.tensor([q])) for q in ([3.0, 0.0], [0.0, 3.0]))
    assert not torch.allclose(one, other)
    with pytest.raises(ValueError, match="takes a query"):
        attention(x)
    with pytest.raises(ValueError, match="takes no query"):
        SoftSpatialAttention(3, 8)(x, torch.zeros(1, 2))


def test_hard_attention_sees_one_position() -> None:
    torch.manual_seed(0)
    attention, x = HardSpatialAttention(2, 4), torch.randn(500, 2, 3, 4)
    glimpse = attention(x)
    rows, columns = glimpse.position.T
    torch.testing.assert_close(glimpse.features, x[torch.arange(500), :, rows, columns])
    log_weights = attention.weights(x)
    torch.testing.assert_close(glimpse.log_probability, log_weights[torch.arange(500), rows, columns])
    weights = log_weights.exp()
    torch.testing.assert_close(glimpse.entropy, torch.distributions.Categorical(weights.flatten(1)).entropy())
    assert len(glimpse.position.unique(dim=0)) == 12, "it is drawn"
    calm = attention.eval()(x)
    torch.testing.assert_close(calm.log_probability, log_weights.flatten(1).amax(1))


def tiny_case() -> tuple[HardSpatialAttention, torch.Tensor, torch.Tensor]:
    """Attention on one map of 2 x 2, and a reward for each of its positions."""
    torch.manual_seed(1)
    attention = HardSpatialAttention(2, 3).double()
    return attention, torch.randn(1, 2, 2, 2, dtype=torch.float64), torch.tensor([[1.0, -2.0], [0.5, 3.0]]).double()


def gradient(loss: torch.Tensor, attention: nn.Module) -> torch.Tensor:
    return torch.cat([g.flatten() for g in torch.autograd.grad(loss, list(attention.parameters()))])


def test_positions_are_drawn_by_their_weights() -> None:
    attention, x, _ = tiny_case()
    draws = 20_000
    glimpse = attention(x.expand(draws, -1, -1, -1))
    counts = torch.bincount(glimpse.position @ torch.tensor([2, 1]), minlength=4)
    weights = attention.weights(x).exp().flatten().detach()
    chi_square = ((counts - draws * weights).square() / (draws * weights)).sum()
    assert chi_square < 16.27  # 3 degrees of freedom, p = 0.001


@pytest.mark.parametrize("baseline", [0.0, 0.7, -5.0])
def test_the_estimators_expectation_is_the_true_gradient(baseline: float) -> None:
    """Summed over all positions by their probability, whatever the baseline: no estimate, an identity."""
    attention, x, rewards = tiny_case()
    true = gradient(-(attention.weights(x).exp() * rewards).sum(), attention)
    probabilities = attention.weights(x).exp().detach().flatten()
    estimator = Reinforce().double().eval()
    estimator.baseline.fill_(baseline)
    total, seen = torch.zeros_like(true), set()
    while len(seen) < 4:  # each position once, as the module draws it
        glimpse = attention(x)
        place = int(glimpse.position[0] @ torch.tensor([2, 1]))
        if place not in seen:
            seen.add(place)
            total += probabilities[place] * gradient(estimator(rewards.flatten()[place][None], glimpse), attention)
    torch.testing.assert_close(total, true)


def spread_of_estimates(baseline: float) -> tuple[float, torch.Tensor]:
    """Mean square distance of single estimates from the true gradient, and the distance of their mean."""
    attention, x, rewards = tiny_case()
    true = gradient(-(attention.weights(x).exp() * rewards).sum(), attention)
    estimator = Reinforce().double().eval()
    estimator.baseline.fill_(baseline)
    estimates = []
    for _ in range(400):
        glimpse = attention(x)
        reward = rewards[glimpse.position[:, 0], glimpse.position[:, 1]]
        estimates.append(gradient(estimator(reward, glimpse), attention))
    stacked = torch.stack(estimates)
    return float((stacked - true).square().sum(1).mean()), (stacked.mean(0) - true).norm()


def test_the_baseline_makes_estimates_vary_less() -> None:
    attention, x, rewards = tiny_case()
    mean_reward = (attention.weights(x).exp() * rewards).sum().item()
    with_baseline, error = spread_of_estimates(mean_reward)
    without, _ = spread_of_estimates(mean_reward + 6.0)
    assert with_baseline < without / 3
    assert error < 4 * (with_baseline / 400) ** 0.5


def test_the_baseline_is_a_moving_average_of_past_rewards() -> None:
    attention, x, _ = tiny_case()
    estimator = Reinforce(keep=0.9).double()
    glimpse = attention(x)
    reward = torch.tensor([2.0], dtype=torch.float64, requires_grad=True)
    first = estimator(reward, glimpse)
    torch.testing.assert_close(first, -2.0 * glimpse.log_probability.mean())
    assert float(estimator.baseline) == 2.0
    second = estimator(torch.tensor([3.0]).double(), glimpse)
    torch.testing.assert_close(second, -1.0 * glimpse.log_probability.mean())
    assert float(estimator.baseline) == pytest.approx(0.9 * 2 + 0.1 * 3)
    estimator.eval()(torch.tensor([9.0]).double(), glimpse)
    assert float(estimator.baseline) == pytest.approx(2.1), "evaluation teaches it nothing"
    assert torch.autograd.grad(first, reward, allow_unused=True) == (None,)


def test_entropy_spreads_the_weights() -> None:
    attention, x, _ = tiny_case()
    estimator = Reinforce(entropy_weight=1.0).double()
    optimizer = torch.optim.Adam(attention.parameters(), lr=0.05)
    before = float(attention(x).entropy.detach())
    for _ in range(40):
        optimizer.zero_grad()
        estimator(torch.zeros(1).double(), attention(x)).backward()
        optimizer.step()
    assert float(attention(x).entropy.detach()) > before + 0.1 * (torch.log(torch.tensor(4.0)) - before)


def test_hard_attention_learns_where_to_look() -> None:
    """One position of each map, marked in channel 0, tells the class in channel 1; elsewhere channel 1 is a coin."""
    torch.manual_seed(0)
    count, side = 512, 4
    labels, places = torch.randint(2, (count,)), torch.randint(side * side, (count,))
    maps = torch.zeros(count, 2, side * side)
    maps[:, 1] = torch.randint(2, (count, side * side)) * 2.0 - 1
    maps[torch.arange(count), 0, places] = 1.0
    maps[torch.arange(count), 1, places] = labels * 2.0 - 1
    x = maps.view(count, 2, side, side)
    attention, head, estimator = HardSpatialAttention(2, 8), nn.Linear(2, 2), Reinforce()
    optimizer = torch.optim.Adam([*attention.parameters(), *head.parameters()], lr=0.03)
    for _ in range(150):
        optimizer.zero_grad()
        glimpse = attention(x)
        loss = nn.functional.cross_entropy(head(glimpse.features), labels, reduction="none")
        (loss.mean() + estimator(-loss, glimpse)).backward()
        optimizer.step()
    right = head(attention.eval()(x).features).argmax(1) == labels
    assert right.float().mean() > 0.98
    anywhere = head(maps[:, :, 0]).argmax(1) == labels
    assert anywhere.float().mean() < 0.7
