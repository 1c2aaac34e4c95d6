"""Layer-sequential unit variance."""

from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn

from osler.models.registry import create_model
from osler.nn.fans import is_layer
from osler.nn.initialisation import fill_weights, initialise
from osler.nn.lsuv import unit_variance
from osler.structures.errors import RecipeError


def pictures(count: int, seed: int = 0, side: int = 12) -> Tensor:
    """Standardised pictures with correlated neighbours, as photographs have."""
    noise = torch.randn(count, 3, side + 2, side + 2, generator=torch.Generator().manual_seed(seed))
    smooth = nn.functional.avg_pool2d(noise, 3, stride=1)
    return smooth / smooth.std()


def plain_network() -> nn.Sequential:
    torch.manual_seed(0)
    widths = (3, 16, 24, 24, 16)
    layers = [m for a, b in pairwise(widths) for m in (nn.Conv2d(a, b, 3, padding=1), nn.ReLU())]
    return nn.Sequential(*layers, nn.Dropout(0.5), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10))


def variances(model: nn.Module, images: Tensor) -> list[float]:
    """Of each layer's outputs in order of use."""
    seen: list[float] = []
    hooks = [
        m.register_forward_hook(lambda _m, _i, out: seen.append(float(out.var(correction=0))))
        for m in model.modules()
        if is_layer(m)
    ]
    with torch.no_grad():
        model(images)
    for hook in hooks:
        hook.remove()
    return seen


def test_every_layer_puts_out_unit_variance_also_on_other_pictures() -> None:
    model = plain_network().eval()
    initialise(model, "orthogonal")
    before = variances(model, pictures(64, 5))
    assert max(abs(v - 1) for v in before) > 0.5
    assert initialise(model, "lsuv", images=pictures(256), options={"tolerance": 0.05}) == []
    assert variances(model, pictures(64)) == pytest.approx([1.0] * 5, abs=0.06)
    assert variances(model, pictures(200, 5))[:4] == pytest.approx([1.0] * 4, abs=0.15)


def slow_reference(model: nn.Sequential, images: Tensor) -> None:
    """Algorithm 1 as printed: one layer after the other, a forward pass each time."""
    for layer in model:
        if is_layer(layer):
            for _ in range(10):
                variance = variances(model, images)[[m for m in model if is_layer(m)].index(layer)]
                if abs(variance - 1) < 0.1:
                    break
                with torch.no_grad():
                    layer.weight /= variance**0.5


def test_one_pass_does_what_the_paper_does_layer_by_layer() -> None:
    one, other, images = plain_network().eval(), plain_network().eval(), pictures(64)
    for model in (one, other):
        torch.manual_seed(1)
        fill_weights(model, "orthogonal")
    assert unit_variance(one, images) == []
    slow_reference(other, images)
    for a, b in zip(one.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)


def test_weights_stay_orthogonal() -> None:
    model = plain_network()
    initialise(model, "lsuv", images=pictures(64))
    rows = model[2].weight.detach().flatten(1)
    product = rows @ rows.T
    torch.testing.assert_close(product / product[0, 0], torch.eye(24), atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", ["resnet20", "airbench", "convnet", "lenet5"])
def test_networks_of_the_registry_and_their_running_statistics_stay(name: str) -> None:
    torch.manual_seed(0)
    model = create_model(name, num_classes=10, in_channels=3).eval()
    list(model.modules())[1].train()  # modes that differ
    modes = {k: m.training for k, m in model.named_modules()}
    buffers = {k: b.clone() for k, b in model.named_buffers()}
    assert initialise(model, "lsuv", images=pictures(32, side=32)) == []
    assert {k: m.training for k, m in model.named_modules()} == modes
    assert all(torch.equal(b, buffers[k]) for k, b in model.named_buffers())
    found = variances(model.train(), pictures(32, side=32))  # batch norm by the mini-batch, as when it was measured
    assert len(found) >= 4
    assert found == pytest.approx([1.0] * len(found), abs=0.11)


def test_what_cannot_be_scaled_is_said() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.used, self.unused, self.head = nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 2)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(torch.relu(-self.used(x).square()))  # nothing comes through

    notes = unit_variance(Net(), torch.randn(64, 4))
    assert any("head put out one value" in n for n in notes)
    assert any("unused were not called" in n for n in notes)


def test_a_layer_used_twice_counts_once() -> None:
    layer = nn.Linear(8, 8)
    model = nn.Sequential(layer, nn.Tanh(), layer, nn.Linear(8, 2))
    assert unit_variance(model, torch.randn(64, 8)) == []
    assert float(layer(torch.randn(4000, 8)).detach().var()) == pytest.approx(1.0, abs=0.2)


def test_needs_pictures_and_knows_its_options() -> None:
    with pytest.raises(RecipeError, match="images="):
        initialise(plain_network(), "lsuv")
    with pytest.raises(RecipeError, match="Did you mean 'tolerance'"):
        initialise(plain_network(), "lsuv", images=pictures(8), options={"tolerence": 0.1})
    with pytest.raises(RecipeError, match="tolerance=2"):
        initialise(plain_network(), "lsuv", images=pictures(8), options={"tolerance": 2})


def test_too_few_tries_are_said() -> None:
    model = plain_network()
    notes = initialise(model, "lsuv", images=pictures(64), options={"tries": 1})
    assert "after 1 tries" in notes[0]
