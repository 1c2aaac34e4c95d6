"""Every network learns: on 64 digits, enlarged as needed, the loss falls below half of its start within 60 steps."""

import pytest
import torch
import torch.nn.functional as F

from osler.lab.small_sets import digits
from osler.models.data_initialisation import NeedsData
from osler.models.registry import create_model, family, list_models, model_options

NARROW, STEPS = 0.25, 60
# Of AdamW, tried in turn: no one rate suits networks with and without norm layers, and VGG-19 without wants the lowest.
RATES = (1e-3, 2e-4, 5e-3, 1e-4)
# Plain networks of that depth are there to show that depth alone does not learn (He et al. 2015, figure 1), and the deep
# belief network has its own test: its sigmoid layers want more steps than these.
ELSEWHERE = ("plain44", "plain56", "deep_belief_network")
NAMES = [name for name in list_models() if name not in ELSEWHERE]
# The first of each family is tried always, its other depths where tests may be slow.
FIRST = list({family(name): name for name in reversed(NAMES)}.values())


def pictures(side: int) -> tuple[torch.Tensor, torch.Tensor]:
    data = digits(64, seed=0)
    return F.interpolate(data.x.reshape(-1, 1, 8, 8), size=(side, side), mode="bilinear"), data.y


def falls_by_half(name: str, rate: float, **options: object) -> bool:
    """Whether the loss over all pictures does, as the mean of three steps in a row; ends when it has."""
    torch.manual_seed(0)
    if "stem" in model_options(name):
        options["stem"] = "small"
    model = create_model(name, num_classes=10, in_channels=1, **options)
    images, labels = pictures(max(8, model.minimum_size))
    if isinstance(model, NeedsData):
        model.initialise_from_data(images)
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate)
    losses: list[float] = []
    for _ in range(STEPS):
        optimizer.zero_grad()
        answer = model.train()(images)
        answers = answer if isinstance(answer, tuple) else (answer,)
        each = [F.cross_entropy(a, labels) for a in answers]
        losses.append(each[0].item())
        (each[0] + 0.3 * sum(each[1:])).backward()
        optimizer.step()
        if len(losses) > 3 and sum(losses[-3:]) / 3 < losses[0] / 2:
            return True
    return False


@pytest.mark.parametrize("name", [n if n in FIRST else pytest.param(n, marks=pytest.mark.slow) for n in NAMES])
def test_a_narrow_one_learns(name: str) -> None:
    narrow = {"width": NARROW} if "width" in model_options(name) else {}
    assert any(falls_by_half(name, rate, **narrow) for rate in RATES)


@pytest.mark.slow
@pytest.mark.parametrize("name", [n for n in NAMES if "width" in model_options(n)])
def test_one_of_full_size_learns(name: str) -> None:
    assert any(falls_by_half(name, rate) for rate in RATES)
