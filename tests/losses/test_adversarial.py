"""The losses of two players: min-max, non-saturating, Wasserstein, and the gradient penalty."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import wasserstein_distance
from torch import nn

from osler.losses.adversarial import discriminator_loss, generator_loss, saturating_generator_loss
from osler.losses.gradient_penalty import gradient_penalty
from osler.losses.wasserstein import critic_generator_loss, critic_loss, earth_mover_distance, jensen_shannon

numbers = st.lists(st.floats(-20, 20), min_size=1, max_size=12)


@pytest.mark.craft("LO06")
def test_the_min_max_slope_vanishes_when_d_is_sure_and_the_other_does_not():
    slopes = {}
    for loss in (saturating_generator_loss, generator_loss):
        fake = torch.tensor([-10.0], requires_grad=True)  # D(fake) is 4.5e-5
        loss(fake).backward()
        slopes[loss] = fake.grad.item()
    sure = 1 / (1 + math.exp(10))
    assert slopes[saturating_generator_loss] == pytest.approx(-sure, rel=1e-4)
    assert slopes[generator_loss] == pytest.approx(-(1 - sure), rel=1e-4)


@pytest.mark.craft("LO06")
@settings(max_examples=10, deadline=None)
@given(numbers, numbers)
def test_the_game_is_as_goodfellow_wrote_it(real, fake):
    real, fake = (torch.tensor(v, dtype=torch.float64) for v in (real, fake))
    d_real, d_fake = torch.sigmoid(real), torch.sigmoid(fake)
    value = d_real.log().mean() + torch.sigmoid(-fake).log().mean()
    assert torch.allclose(discriminator_loss(real, fake), -value)
    assert torch.allclose(saturating_generator_loss(fake), torch.sigmoid(-fake).log().mean())
    assert torch.allclose(generator_loss(fake), -d_fake.log().mean())


@pytest.mark.craft("LO07")
@settings(max_examples=10, deadline=None)
@given(st.integers(1, 9))
def test_of_two_point_masses_js_sees_nothing_and_the_earth_mover_the_distance(distance):
    places = torch.zeros(10, dtype=torch.float64)
    first, second = places.clone(), places.clone()
    first[0] = second[distance] = 1
    assert jensen_shannon(first, second).item() == pytest.approx(math.log(2))
    place = torch.full((1,), float(distance), requires_grad=True)
    moved = earth_mover_distance(torch.zeros(1), place)
    moved.backward()
    assert moved.item() == distance
    assert place.grad.item() == 1  # a slope that says which way to go


def test_jensen_shannon_is_zero_at_home():
    same = torch.tensor([0.2, 0.5, 0.3, 0.0])
    assert jensen_shannon(same, same).item() == pytest.approx(0, abs=1e-7)


@pytest.mark.craft("LO07")
@settings(max_examples=10, deadline=None)
@given(numbers, numbers)
def test_the_earth_mover_equals_scipys(first, second):
    ours = earth_mover_distance(*(torch.tensor(v, dtype=torch.float64) for v in (first, second)))
    assert ours.item() == pytest.approx(wasserstein_distance(first, second), abs=1e-9)


def test_the_earth_mover_has_the_gradient_of_finite_differences_for_unequal_samples():
    generator = np.random.default_rng(0)
    first, second = (torch.tensor(generator.normal(size=n), requires_grad=True) for n in (5, 8))
    assert torch.autograd.gradcheck(earth_mover_distance, (first, second))


def test_a_critic_and_its_generator_pull_against_each_other():
    real, fake = torch.tensor([1.0, 3.0]), torch.tensor([0.0, 1.0, 2.0])
    assert critic_loss(real, fake).item() == -1
    assert critic_generator_loss(fake).item() == -1


def linear_critic(slope):
    critic = nn.Sequential(nn.Flatten(), nn.Linear(12, 1, bias=False))
    with torch.no_grad():
        weight = torch.arange(1.0, 13.0)
        critic[1].weight.copy_(slope * weight / weight.norm())
    return critic


@pytest.mark.craft("LO08")
@pytest.mark.parametrize(("slope", "penalty"), [(1.0, 0.0), (2.0, 1.0), (0.0, 1.0), (4.0, 9.0)])
def test_the_penalty_is_the_squared_distance_of_the_slope_from_one(slope, penalty):
    real, fake = torch.randn(2, 5, 3, 2, 2, generator=torch.Generator().manual_seed(0))
    assert gradient_penalty(linear_critic(slope), real, fake).item() == pytest.approx(penalty, abs=1e-5)


@pytest.mark.craft("LO08")
def test_its_double_backward_equals_finite_differences():
    torch.manual_seed(0)
    critic = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 1)).double()
    real, fake = torch.randn(2, 6, 3, dtype=torch.float64)
    weight = critic[0].weight

    def penalty():
        return gradient_penalty(critic, real, fake, generator=torch.Generator().manual_seed(7))

    penalty().backward()
    for place in [(0, 0), (3, 2), (7, 1)]:
        values = []
        for shift in (1e-5, -2e-5, 1e-5):  # above, below, and back
            with torch.no_grad():
                weight[place] += shift
            values.append(penalty().item())
        assert weight.grad[place].item() == pytest.approx((values[0] - values[1]) / 2e-5, abs=1e-7)


def test_the_points_lie_between_real_and_fake_and_nothing_flows_into_them():
    seen = []

    def critic(points):
        seen.append(points)
        return points.sum(dim=1)

    real = torch.zeros(50, 2, requires_grad=True)
    fake = torch.ones(50, 2, requires_grad=True)
    gradient_penalty(critic, real, fake, generator=torch.Generator().manual_seed(0))
    (points,) = seen
    assert ((points >= 0) & (points <= 1)).all()
    assert torch.equal(points[:, 0], points[:, 1])  # one share for a whole sample
    assert points.unique().numel() == 50
    assert points.is_leaf
