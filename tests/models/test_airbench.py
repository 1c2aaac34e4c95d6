"""The airbench network: what its paper fixes, and what it measures on training pictures."""

import pytest
import torch
from torch import Tensor, nn

from osler.models.data_initialisation import NeedsData
from osler.models.registry import create_model


def smooth_pictures(number: int, side: int = 32, seed: int = 0) -> Tensor:
    """Standardised pictures whose neighbouring pixels and channels are correlated, as in photographs."""
    noise = torch.randn(number, 3, side + 4, side + 4, generator=torch.Generator().manual_seed(seed))
    grey = noise.mean(1, keepdim=True)
    smooth = nn.functional.avg_pool2d(noise * 0.5 + grey, 5, stride=1)
    return (smooth - smooth.mean()) / smooth.std()


def test_only_convolutions_head_and_biases_are_trained() -> None:
    model = create_model("airbench", num_classes=10)
    frozen = {k for k, p in model.named_parameters() if not p.requires_grad}
    norms = {f"{k}.weight" for k, m in model.named_modules() if isinstance(m, nn.BatchNorm2d)}
    assert len(norms) == 6
    assert frozen == norms | {"whiten.weight"}
    assert all((model.get_parameter(k) == 1).all() for k in norms)
    biases = {k for k, p in model.named_parameters() if p.requires_grad and p.ndim == 1}
    assert biases == {k.replace("weight", "bias") for k in norms} | {"whiten.bias"}


def test_convolutions_start_as_partial_identities() -> None:
    for block in create_model("airbench", num_classes=10).blocks:
        for conv in (block.conv1, block.conv2):
            x = torch.randn(1, conv.in_channels, 6, 6)
            torch.testing.assert_close(conv(x)[:, : conv.in_channels], x[:, : conv.out_channels])


def test_raw_outputs_are_a_ninth_of_the_linear_layers() -> None:
    model = create_model("airbench", num_classes=10).eval()
    seen: list[Tensor] = []
    model.head.register_forward_hook(lambda _m, _i, output: seen.append(output))
    outputs = model(smooth_pictures(2))
    torch.testing.assert_close(outputs * 9, seen[0])


def test_the_last_pooling_of_a_32_pixel_picture_is_3x3() -> None:
    model = create_model("airbench", num_classes=10).eval()
    maps: list[Tensor] = []
    model.blocks.register_forward_hook(lambda _m, _i, output: maps.append(output))
    model(smooth_pictures(1))
    assert maps[0].shape == (1, 256, 3, 3)
    torch.testing.assert_close(model.maximum(maps[0]), nn.functional.max_pool2d(maps[0], 3))


def test_first_layer_is_whitened_by_the_training_pictures_and_then_fixed() -> None:
    model = create_model("airbench", num_classes=10)
    assert isinstance(model, NeedsData)
    assert not isinstance(create_model("convnet", num_classes=10), NeedsData)
    model.initialise_from_data(smooth_pictures(256))
    response = model.whiten(smooth_pictures(256, seed=1))[:, :12].transpose(0, 1).flatten(1)  # fresh pictures
    covariance = response @ response.T / response.shape[1]
    torch.testing.assert_close(covariance, torch.eye(12), atol=0.1, rtol=0)
    before = model.whiten.weight.clone()
    model(smooth_pictures(8)).square().sum().backward()
    torch.optim.SGD((p for p in model.parameters() if p.grad is not None), lr=1.0).step()
    assert torch.equal(model.whiten.weight, before)


def test_norm_biases_learn_64_times_as_fast() -> None:
    model = create_model("airbench", num_classes=10)
    assert list(model.lr_scales.values()) == [64.0]


@pytest.mark.parametrize("widths", [(16, 24, 32), (8, 8, 8)])
def test_other_widths(widths: tuple[int, int, int]) -> None:
    model = create_model("airbench", num_classes=4, widths=widths).eval()
    assert model(smooth_pictures(2)).shape == (2, 4)
