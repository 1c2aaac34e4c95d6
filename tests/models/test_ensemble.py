"""Networks that answer as one: the mean of their predictions, written as raw outputs."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from osler.models.ensemble import Ensemble, Rescaled
from osler.structures.errors import RecipeError


class Says(nn.Module):
    """Always the same raw outputs."""

    def __init__(self, outputs: Tensor) -> None:
        super().__init__()
        self.outputs = outputs

    def forward(self, images: Tensor) -> Tensor:
        return self.outputs


def answers(seed: int, members: int, spread: float) -> Tensor:
    return spread * torch.randn(members, 20, 5, generator=torch.Generator().manual_seed(seed))


def together(outputs: Tensor, problem: str) -> Tensor:
    return Ensemble([Says(o) for o in outputs], problem=problem)(torch.zeros(20, 1, 1, 1))  # type: ignore[arg-type]


SEEDS, COUNTS, SPREADS = st.integers(0, 10_000), st.integers(1, 6), st.floats(0.1, 30)


@pytest.mark.craft("WF05")
@settings(max_examples=40, deadline=None)
@given(seed=SEEDS, members=COUNTS, spread=SPREADS)
def test_its_predictions_are_the_mean_of_its_members(seed: int, members: int, spread: float) -> None:
    outputs = answers(seed, members, spread)
    torch.testing.assert_close(together(outputs, "class").softmax(1), outputs.softmax(2).mean(0))
    torch.testing.assert_close(together(outputs, "labels").sigmoid(), outputs.sigmoid().mean(0))
    torch.testing.assert_close(together(outputs, "numbers"), outputs.mean(0))


@pytest.mark.craft("WF05")
@settings(max_examples=40, deadline=None)
@given(seed=SEEDS, members=COUNTS, spread=SPREADS)
def test_its_loss_on_every_picture_is_at_most_the_mean_of_its_members(seed: int, members: int, spread: float) -> None:
    outputs, random = answers(seed, members, spread), torch.Generator().manual_seed(seed + 1)
    classes = torch.randint(5, (20,), generator=random)
    labels = torch.randint(2, (20, 5), generator=random).float()
    numbers = torch.randn(20, 5, generator=random)
    for problem, loss in (
        ("class", lambda o: F.cross_entropy(o, classes, reduction="none")),
        ("labels", lambda o: F.binary_cross_entropy_with_logits(o, labels, reduction="none")),
        ("numbers", lambda o: F.mse_loss(o, numbers, reduction="none")),
    ):
        mean = torch.stack([loss(o) for o in outputs]).mean(0)
        assert (loss(together(outputs, problem)) <= mean * (1 + 1e-5) + 1e-5).all(), problem


def test_sure_answers_stay_finite() -> None:
    outputs = torch.tensor([[[500.0, -500.0]], [[-500.0, 500.0]]])
    for problem in ("class", "labels"):
        both = together(outputs, problem)
        assert both.isfinite().all()
        torch.testing.assert_close(both[0, 0], both[0, 1])


def test_the_main_output_is_taken_where_there_are_auxiliary_ones() -> None:
    class Two(nn.Module):
        def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
            return torch.ones(1, 2), torch.zeros(1, 2)

    assert Ensemble([Two()], problem="numbers")(torch.zeros(1)).tolist() == [[1, 1]]


def test_a_rescaled_network_sees_and_says_in_its_own_units() -> None:
    network = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 2))
    images = torch.rand(4, 3, 5, 5)
    scale, shift = torch.tensor([2.0, 3.0, 4.0]), torch.tensor([0.1, 0.2, 0.3])
    units = ((10.0, 100.0), (1.0, 2.0))
    rescaled = Rescaled(network, inputs=(scale.tolist(), shift.tolist()), outputs=units)
    seen = images * scale.view(1, 3, 1, 1) + shift.view(1, 3, 1, 1)
    torch.testing.assert_close(rescaled(images), network(seen) * torch.tensor(units[0]) + torch.tensor(units[1]))


def test_nobody_is_no_ensemble() -> None:
    with pytest.raises(RecipeError, match="one network"):
        Ensemble([], problem="class")
