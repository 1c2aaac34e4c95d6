"""A budget, and the network that stays within it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from osler.models import choosing
from osler.models.choosing import Budget, choose_network, measure, weigh
from osler.models.registry import create_model, list_models
from osler.structures.errors import RecipeError

PHOTOGRAPH, ICON = (224, 224), (32, 32)
OF_ICONS = [c for name in list_models() if (c := weigh(name, ICON, 10))]


@pytest.mark.craft("WF08")
@settings(max_examples=25, deadline=None)
@given(spare=st.floats(1.0, 3.0), row=st.sampled_from(OF_ICONS))
def test_a_budget_that_some_network_fits_is_kept_and_used(spare: float, row: choosing.Candidate) -> None:
    budget = Budget(multiply_adds=int(row.multiply_adds * spare), parameters=int(row.parameters * spare))
    within = [
        c for c in OF_ICONS if c.multiply_adds <= budget.multiply_adds and c.parameters <= budget.parameters
    ]  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(choosing, "weigh", lambda name, *_: next((c for c in OF_ICONS if c.name == name), None))
        chosen = choose_network(budget, size=ICON, num_classes=10)
    assert chosen in within
    suited = [c for c in within if c.suited] or within
    assert chosen.multiply_adds == max(c.multiply_adds for c in suited)


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
    assert choose_network(huge, size=PHOTOGRAPH, num_classes=10).name.startswith("resnet")
    assert weigh("resnet56", PHOTOGRAPH, 10).suited is False  # type: ignore[union-attr]
    assert weigh("resnet50", ICON, 10).suited is False  # type: ignore[union-attr]
    assert choose_network(huge, size=PHOTOGRAPH, num_classes=10).name == "resnet50"


def test_what_cannot_be_is_said_with_the_nearest() -> None:
    with pytest.raises(RecipeError, match=r"within 1,000 parameters .* lenet5, 62,006"):
        choose_network(Budget(parameters=1000), size=ICON, num_classes=10, pattern="lenet5")
    with pytest.raises(RecipeError, match="'lenet5' sees pictures of 8x8"):
        choose_network(Budget(parameters=1000), size=(8, 8), num_classes=10, pattern="lenet5")
    with pytest.raises(RecipeError, match="at least one"):
        Budget()
    with pytest.raises(RecipeError, match="above 0"):
        Budget(parameters=0)
