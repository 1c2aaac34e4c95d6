"""Finding, replacing and looking before a network's head."""

import copy

import pytest
import torch
from torch import nn

from osler.models.head import find_head, penultimate, replace_head
from osler.models.registry import create_model, list_models, minimum_size
from osler.structures.errors import RecipeError


@pytest.mark.parametrize("name", list_models())
def test_the_head_of_every_network_can_be_replaced(name: str) -> None:
    model = create_model(name, num_classes=10).eval()
    side = minimum_size(name)
    images = torch.randn(3, 3, side, side)
    kept = copy.deepcopy(model.state_dict())
    with torch.no_grad():
        features = penultimate(model, images)
        new = replace_head(model, 4)
        assert model(images).shape == (3, 4)
        assert torch.equal(penultimate(model, images), features), "what comes before the head has changed"
    key, head = find_head(model)
    assert head is new
    assert features.shape == (3, head.in_features)
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
    with pytest.raises(RecipeError, match=r"Sequential has no linear layer"):
        find_head(nn.Sequential(nn.Conv2d(3, 4, 1)))
    with pytest.raises(RecipeError, match=r"single nn\.Linear"):
        replace_head(nn.Linear(3, 2), 5)


class Unused(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 2)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images.mean((2, 3))


def test_a_head_that_is_not_called_gives_no_features() -> None:
    with pytest.raises(RecipeError, match="does not call its last linear layer"):
        penultimate(Unused(), torch.zeros(1, 3, 4, 4))
