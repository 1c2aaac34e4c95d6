"""Views of features: against a slow way of autograd, and on filters that are known."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from osler.lab.deconvnet import draw, seen_by, views
from osler.models.plan_network import PlanNetwork
from osler.models.registry import create_model
from osler.structures.errors import RecipeError


class CutBelow(torch.autograd.Function):
    """A ReLU whose gradient is a ReLU of the gradient, whatever the input was."""

    @staticmethod
    def forward(ctx: object, x: torch.Tensor) -> torch.Tensor:
        return x.clamp(min=0)

    @staticmethod
    def backward(ctx: object, gradient: torch.Tensor) -> torch.Tensor:
        return gradient.clamp(min=0)


class Cut(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return CutBelow.apply(x)


PLANS = [
    "conv3-6 maxpool2 conv3-8",
    "conv5-6/2 pad1 bn maxpool3/2 ceil conv3-8 groups2",
    "conv3-6 avgpool3/2 pad1 conv3-8/3 pad0 maxpool2",
    "conv3-6 pad0 drop0.5 maxpool3/2 pad1 conv1-8 conv3-8 bn",
]


@pytest.mark.craft("AR03")
@settings(max_examples=24, deadline=None)
@given(plan=st.sampled_from(PLANS), side=st.integers(17, 21), channel=st.integers(0, 7), seed=st.integers(0, 9))
def test_is_the_gradient_with_other_relus(plan: str, side: int, channel: int, seed: int) -> None:
    torch.manual_seed(seed)
    net = PlanNetwork(2, plan=f"input20 | {plan} gap fc-classes").double().eval()
    for norm in (m for m in net.modules() if isinstance(m, nn.BatchNorm2d)):
        nn.init.uniform_(norm.running_var, 0.5, 2.0)
        nn.init.normal_(norm.weight)
    image = torch.randn(3, side, side, dtype=torch.float64, requires_grad=True)
    slow = nn.Sequential(*(Cut() if isinstance(m, nn.ReLU) else m for m in net.features))
    maps = slow(image[None])[0, channel]
    row, column = divmod(int(maps.argmax()), maps.shape[1])
    value = maps[row, column]
    (expected,) = torch.autograd.grad(value, image, grad_outputs=value.detach())
    drawing = draw(net.features, image.detach(), (channel, row, column))
    torch.testing.assert_close(drawing, expected)


@pytest.mark.craft("AR03")
def test_one_layer_draws_its_own_filter_where_the_pattern_is() -> None:
    edge = torch.tensor([[1.0, 0.0, -1.0]] * 3)
    conv = nn.Conv2d(1, 2, 3, bias=False).requires_grad_(False)
    conv.weight.copy_(torch.stack([edge, edge.T])[:, None])
    pictures = torch.zeros(3, 1, 12, 12)
    pictures[1, 0, 4:7, 5:8] = 2 * edge
    pictures[2, 0, 7:10, 2:5] = edge
    found = views(nn.Sequential(conv, nn.ReLU()), pictures, 0)
    assert [(v.picture, v.place, v.activation) for v in found[:2]] == [(1, (4, 5), 12.0), (2, (7, 2), 6.0)]
    expected = torch.zeros(1, 12, 12)
    expected[0, 4:7, 5:8] = 12.0 * edge
    assert torch.equal(found[0].drawing, expected)
    assert found[0].window == (slice(4, 7), slice(5, 8))


@pytest.mark.craft("AR03")
def test_switches_bring_a_value_back_to_where_it_came_from() -> None:
    """A pooling forgets where its maximum was; its switch does not."""
    layers = nn.Sequential(nn.MaxPool2d(3, 2))
    picture = torch.zeros(1, 7, 7)
    picture[0, 4, 4], picture[0, 1, 5] = 5.0, 2.0  # the first lies under four windows
    for place in ((1, 1), (1, 2), (2, 1), (2, 2)):
        drawing = draw(layers, picture, (0, *place))
        assert drawing[0, 4, 4] == 5.0
        assert drawing.count_nonzero() == 1
    assert draw(layers, picture, (0, 0, 2))[0, 1, 5] == 2.0


@pytest.mark.craft("AR03")
def test_features_of_zfnet_are_drawn_within_what_they_can_see() -> None:
    torch.manual_seed(0)
    net = create_model("zfnet", num_classes=10, width=0.125).eval()
    pictures = torch.randn(3, 3, 120, 120)
    layers = net.features[:10]  # to the third convolution
    assert isinstance(layers[-2], nn.Conv2d)
    (view, *others) = views(layers, pictures, 5, count=2)
    assert len(others) == 1
    assert view.activation >= others[0].activation > 0
    assert view.drawing.shape == (3, 120, 120)
    rows, columns = view.window
    outside = view.drawing.clone()
    outside[:, rows, columns] = 0
    assert view.drawing.any()
    assert not outside.any()
    changed = pictures[view.picture].clone()
    changed[:, : rows.start] = 9.0
    changed[:, :, columns.stop :] = -9.0
    after = layers(changed[None])[0, 5, view.place[0], view.place[1]]
    assert float(after.detach()) == pytest.approx(view.activation, rel=1e-5)


def test_a_window_ends_at_the_picture() -> None:
    layers = nn.Sequential(nn.Conv2d(1, 1, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(1, 1, 3, padding=1))
    assert seen_by(layers, (0, 3), (16, 16)) == (slice(0, 6), slice(2, 12))
    assert seen_by(layers, (7, 7), (16, 16)) == (slice(10, 16), slice(10, 16))


def test_what_cannot_be_undone_is_said() -> None:
    layers = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Tanh())
    with pytest.raises(RecipeError, match=r"1 \(Tanh\) cannot be undone"):
        draw(layers, torch.zeros(3, 8, 8), (0, 1, 1))
    with pytest.raises(RecipeError, match=r"give 4 features, counted from 0; given: channel=4"):
        views(layers[:1], torch.zeros(1, 3, 8, 8), 4)
