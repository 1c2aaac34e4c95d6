"""Maxout: exact for |x| and ReLU, as near as one likes to convex functions."""

import pytest
import torch
from torch import nn

from osler.nn.maxout import Maxout
from osler.structures.errors import RecipeError


def pieces(slopes: list[float], offsets: list[float]) -> Maxout:
    layer = nn.Linear(1, len(slopes))
    layer.weight.data = torch.tensor(slopes)[:, None]
    layer.bias.data = torch.tensor(offsets)
    return Maxout(layer.requires_grad_(False), len(slopes))


@pytest.mark.craft("AC07")
def test_two_pieces_give_the_absolute_value_and_relu_exactly() -> None:
    x = torch.linspace(-3, 3, 61)[:, None]
    assert torch.equal(pieces([1.0, -1.0], [0.0, 0.0])(x), x.abs())
    assert torch.equal(pieces([1.0, 0.0], [0.0, 0.0])(x), x.relu())


@pytest.mark.craft("AC07")
def test_the_error_on_a_parabola_falls_with_the_square_of_the_pieces() -> None:
    """Tangents at the middles of k equal parts of [-1, 1] lie below x^2 by at most 1 / k^2, at the parts' ends."""
    x = torch.linspace(-1, 1, 4001)[:, None]
    for k in (2, 4, 8, 16, 32):
        touch = [-1 + (2 * i + 1) / k for i in range(k)]
        tangents = pieces([2 * t for t in touch], [-t * t for t in touch])
        assert float((x.square() - tangents(x)).max()) == pytest.approx(1 / k**2, rel=1e-2)


@pytest.mark.craft("AC07")
def test_it_learns_a_parabola() -> None:
    torch.manual_seed(0)
    model, x = Maxout(nn.Linear(1, 8), 8), torch.linspace(-1, 1, 200)[:, None]
    optimizer = torch.optim.Adam(model.parameters(), lr=0.03)
    for _ in range(600):
        loss = (model(x) - x.square()).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss < 2e-3, "two straight lines leave 1/180 at best"


def test_channels_of_pictures_are_grouped_side_by_side() -> None:
    layer = nn.Conv2d(2, 6, 1)
    x = torch.randn(2, 2, 5, 4)
    y = layer(x)
    assert torch.equal(Maxout(layer, 3)(x), torch.stack([y[:, :3].amax(1), y[:, 3:].amax(1)], dim=1))
    with pytest.raises(RecipeError, match="6 channels, which 4 pieces do not divide"):
        Maxout(layer, 4)(x)
    with pytest.raises(RecipeError, match="at least one"):
        Maxout(layer, 0)
