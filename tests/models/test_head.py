"""Finding, replacing and looking before a network's head."""

import copy

import pytest
import torch
from torch import nn

from osler.models.head import features_of, find_head, penultimate, replace_head
from osler.models.registry import create_model, family, list_models, model_options
from osler.structures.errors import RecipeError


def representatives() -> list[object]:
    """Every name; all but one of each family are slow."""
    chosen = {family(name): name for name in list_models()}.values()
    return [name if name in chosen else pytest.param(name, marks=pytest.mark.slow) for name in list_models()]


@pytest.mark.parametrize("name", representatives())
def test_the_head_of_every_network_can_be_replaced(name: str) -> None:
    narrow = {"width": 0.125} if "width" in model_options(name) else {}
    model = create_model(name, num_classes=10, **narrow).eval()
    images = torch.randn(3, 3, model.minimum_size, model.minimum_size)
    kept = copy.deepcopy(model.state_dict())
    with torch.no_grad():
        features = penultimate(model, images)
        new = replace_head(model, 4)
        assert model(images).shape == (3, 4)
        assert torch.equal(penultimate(model, images), features), "what comes before the head has changed"
    key, head = find_head(model)
    assert head is new
    assert features.shape == (3, features_of(head))
    others = [k for k in kept if not k.startswith(f"{key}.")]
    assert all(torch.equal(model.state_dict()[k], kept[k]) for k in others)


def test_the_new_head_is_like_the_old_one() -> None:
    model = (
        nn.Sequential(nn.Flatten(), nn.Linear(12, 8), nn.ReLU(), nn.Linear(8, 2, bias=False)).to(torch.float64).eval()
    )
    new = replace_head(model, 5)
    assert new.bias is None
    assert new.weight.dtype == torch.float64
    assert not new.training
    assert model[3] is new


def test_features_are_those_that_the_head_multiplies() -> None:
    torch.manual_seed(0)
    model = create_model("convnet", num_classes=6).eval()
    images = torch.randn(4, 3, 8, 8)
    _, head = find_head(model)
    torch.testing.assert_close(head(penultimate(model, images)), model(images))


def test_looking_at_features_leaves_no_hook_even_after_an_error() -> None:
    model = create_model("convnet", num_classes=6)
    with pytest.raises(RuntimeError):
        penultimate(model, torch.randn(4, 5, 8, 8))
    assert not find_head(model)[1]._forward_pre_hooks


def test_a_network_without_a_head_is_told_so() -> None:
    with pytest.raises(RecipeError, match=r"Sequential has no linear layer and no 1x1 convolution"):
        find_head(nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 1, groups=4)))
    with pytest.raises(RecipeError, match=r"single nn\.Linear"):
        replace_head(nn.Linear(3, 2), 5)
    with pytest.raises(RecipeError, match=r"single nn\.Conv2d"):
        replace_head(nn.Conv2d(3, 2, 1), 5)


def test_a_1x1_convolution_is_the_head_only_where_there_is_no_linear_layer() -> None:
    squeezing = nn.Sequential(nn.Linear(4, 4), nn.Conv2d(4, 2, 1))
    assert find_head(squeezing) == ("0", squeezing[0])
    averaged = nn.Sequential(nn.Conv2d(3, 6, 1), nn.Conv2d(6, 4, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    assert find_head(averaged) == ("1", averaged[1])


def test_the_head_of_a_network_that_averages_maps_is_made_anew() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 64, 3), nn.Conv2d(64, 300, 1, bias=False), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    model = model.to(torch.float64).eval()
    images = torch.randn(2, 3, 7, 9, dtype=torch.float64)
    with torch.no_grad():
        torch.testing.assert_close(penultimate(model, images), model[0](images).mean((2, 3)))
        new = replace_head(model, 200)
        assert model(images).shape == (2, 200)
    assert isinstance(new, nn.Conv2d)
    assert new.bias is None
    assert (new.weight.dtype, new.training) == (torch.float64, False)
    assert float(new.weight.detach().std()) == pytest.approx(1 / 8, rel=0.05)


class Unused(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 2)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images.mean((2, 3))


def test_a_head_that_is_not_called_gives_no_features() -> None:
    with pytest.raises(RecipeError, match="does not call its last layer"):
        penultimate(Unused(), torch.zeros(1, 3, 4, 4))
