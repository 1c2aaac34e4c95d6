"""A budget, and the network that stays within it."""

from functools import cache

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from osler.models import choosing
from osler.models.choosing import Budget, choose_network, measure, weigh
from osler.models.cost import multiply_adds
from osler.models.published_accuracy import CIFAR10, PAPERS, TORCHVISION, published_accuracy
from osler.models.registry import create_model, list_models
from osler.structures.errors import RecipeError

PHOTOGRAPH, ICON = (224, 224), (32, 32)
SOME = "??[as]*"  # plain and residual networks: made for small pictures or not, of known accuracy or not


@cache
def of_icons() -> list[choosing.Candidate]:
    """Networks that see small pictures, weighed when the first test asks."""
    return [c for name in list_models(SOME) if (c := weigh(name, ICON, 10))]


one_of_icons = st.deferred(lambda: st.sampled_from(of_icons()))


@pytest.mark.craft("WF08", "AR24")
@settings(max_examples=25, deadline=None)
@given(spare=st.floats(1.0, 3.0), row=one_of_icons)
def test_a_budget_that_some_network_fits_is_kept_and_used(spare: float, row: choosing.Candidate) -> None:
    budget = Budget(multiply_adds=int(row.multiply_adds * spare), parameters=int(row.parameters * spare))
    within = [
        c for c in of_icons() if c.multiply_adds <= budget.multiply_adds and c.parameters <= budget.parameters
    ]  # fmt: skip
    chosen = choose_network(budget, size=ICON, num_classes=10, pattern=SOME)
    assert chosen in within
    known = [c for c in within if c.suited and c.accuracy is not None]
    if known:
        assert chosen.accuracy == max(c.accuracy for c in known)
    else:
        suited = [c for c in within if c.suited] or within
        assert chosen.multiply_adds == max(c.multiply_adds for c in suited)


@pytest.mark.craft("AR24")
@settings(max_examples=25, deadline=None)
@given(accuracy=st.floats(90.0, 96.0), parameters=st.sampled_from([400_000, 900_000, 10**9]))
def test_the_cheapest_that_is_accurate_enough_is_chosen(accuracy: float, parameters: int) -> None:
    able = [
        c for c in of_icons() if c.suited and (c.accuracy or 0) >= accuracy and c.parameters <= parameters
    ]  # fmt: skip
    budget = Budget(accuracy=accuracy, parameters=parameters)
    if able:
        assert choose_network(budget, size=ICON, num_classes=10, pattern=SOME) == min(
            able, key=lambda c: c.multiply_adds
        )
    else:
        with pytest.raises(RecipeError, match=r"No network reaches .* and stays within .* The most accurate is"):
            choose_network(budget, size=ICON, num_classes=10, pattern=SOME)


@pytest.mark.craft("AR24")
@pytest.mark.parametrize(
    ("budget", "name"),
    [
        (Budget(accuracy=71.5, parameters=5_000_000), "mobilenet_v2"),  # VGG-16 is as right with 138 million
        (Budget(accuracy=80.0), "inception_v4"),
        (Budget(parameters=4_000_000), "mobilenet_v2"),
        (Budget(multiply_adds=250_000_000), "mobilenet_v3_large"),
        (Budget(multiply_adds=2_000_000_000, parameters=10_000_000), "mobilenet_v3_large"),
        (Budget(parameters=10**9), "senet154"),
    ],
)
def test_photographs_get_what_the_literature_would_choose(budget: Budget, name: str) -> None:
    assert choose_network(budget, size=PHOTOGRAPH, num_classes=1000).name == name


@pytest.mark.parametrize("name", ["resnet18", "densenet121", "mobilenet_v3_small", "googlenet", "lenet5", "airbench"])
def test_what_is_weighed_is_what_a_forward_pass_costs(name: str) -> None:
    with torch.device("meta"):
        model = create_model(name, num_classes=10)
    assert weigh(name, (64, 64), 10).multiply_adds == multiply_adds(model, 3, (64, 64))  # type: ignore[union-attr]


def test_no_more_networks_are_counted_than_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Making the choice stays quick, however many networks there are."""
    counted = []
    monkeypatch.setattr(choosing, "multiply_adds", lambda *args: counted.append(args) or 10**9)
    choosing.weigh.cache_clear()
    try:
        choose_network(Budget(parameters=30_000_000), size=PHOTOGRAPH, num_classes=1000)
        assert len(counted) == 1
    finally:
        choosing.weigh.cache_clear()


def test_published_accuracies_are_of_networks_that_exist() -> None:
    assert {*TORCHVISION, *PAPERS, *CIFAR10} <= set(list_models())
    assert published_accuracy("lenet5") is None


@pytest.mark.craft("WF08")
def test_the_chosen_network_really_costs_what_the_budget_allows() -> None:
    budget = Budget(multiply_adds=2_000_000_000, parameters=15_000_000)
    chosen = choose_network(budget, size=PHOTOGRAPH, num_classes=1000, pattern="resnet*")
    assert chosen.name == "resnet18"  # its header: 11,689,512 and 1,814,073,344
    assert (chosen.parameters, chosen.multiply_adds) == (11_689_512, 1_814_073_344)
    model = create_model(chosen.name, num_classes=1000)
    assert sum(p.numel() for p in model.parameters()) <= budget.parameters
    assert chosen.suited


@pytest.mark.craft("WF08")
def test_milliseconds_are_measured_and_the_slow_are_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def clock(model: object, size: object, channels: int, device: str) -> float:
        parameters = sum(p.numel() for p in model.parameters())  # type: ignore[attr-defined]
        asked.append(parameters)
        return parameters / 1e5  # 500,000 parameters take 5 ms

    monkeypatch.setattr(choosing, "measure", clock)
    chosen = choose_network(Budget(milliseconds=5.0), size=ICON, num_classes=10, pattern="resnet??")
    assert chosen.name == "resnet32"
    assert chosen.milliseconds == pytest.approx(4.64154)
    assert asked == sorted(asked, reverse=True)  # the most capable first


def test_a_measured_time_is_that_of_a_forward_pass() -> None:
    assert 0 < measure(create_model("lenet5", num_classes=10), ICON) < 1000


def test_networks_made_for_small_pictures_are_not_chosen_for_photographs() -> None:
    huge = Budget(multiply_adds=10**12)
    assert weigh("resnet56", PHOTOGRAPH, 10).suited is False  # type: ignore[union-attr]
    assert weigh("resnet50", ICON, 10).suited is False  # type: ignore[union-attr]
    assert choose_network(huge, size=PHOTOGRAPH, num_classes=10).name == "senet154"
    assert choose_network(huge, size=ICON, num_classes=10).name == "densenet_bc100"


def test_what_cannot_be_is_said_with_the_nearest() -> None:
    with pytest.raises(RecipeError, match=r"within 1,000 parameters .* lenet5, 62,006"):
        choose_network(Budget(parameters=1000), size=ICON, num_classes=10, pattern="lenet5")
    with pytest.raises(RecipeError, match="'lenet5' sees pictures of 8x8"):
        choose_network(Budget(parameters=1000), size=(8, 8), num_classes=10, pattern="lenet5")
    with pytest.raises(RecipeError, match="at least one"):
        Budget()
    with pytest.raises(RecipeError, match="above 0"):
        Budget(parameters=0)
