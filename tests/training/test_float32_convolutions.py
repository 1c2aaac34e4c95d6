"""Convolutions in bfloat16 training: in float32 where bfloat16 is slow or wrong, and nowhere else."""

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from osler.training.float32_convolutions import SomeConvolutionsInFloat32


class _Convolutions(TorchDispatchMode):
    """Notes in which precision convolutions ran, forwards and backwards."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[torch.dtype] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        if "convolution" in str(func):
            self.seen.append(args[0].dtype)
        return func(*args, **(kwargs or {}))


def trained(layer: nn.Module, x: Tensor) -> tuple[Tensor, list[torch.dtype]]:
    """The layer's answer in bfloat16 training, and the precision of its convolutions, forwards and backwards."""
    with _Convolutions() as watch:
        with torch.autocast("cpu", torch.bfloat16), SomeConvolutionsInFloat32():
            y = layer(x)
        if y.requires_grad:
            y.float().square().sum().backward()
    return y, watch.seen


@pytest.mark.parametrize(
    "options", [{"stride": 2, "kernel_size": 3}, {"kernel_size": 5}, {"stride": (1, 2), "kernel_size": 3}]
)
def test_slow_depthwise_convolutions_run_in_float32(options: dict[str, object]) -> None:
    layer, x = nn.Conv2d(8, 8, groups=8, **options), torch.randn(2, 8, 12, 12)  # type: ignore[arg-type]
    y, seen = trained(layer, x)
    assert set(seen) == {torch.float32}
    assert len(seen) == 2
    assert y.dtype == torch.bfloat16
    torch.testing.assert_close(y.float(), layer(x), rtol=1e-2, atol=1e-2)
    assert layer.weight.grad is not None
    assert layer.weight.grad.dtype == torch.float32


@pytest.mark.parametrize(
    "layer",
    [nn.Conv2d(8, 8, 3, groups=8), nn.Conv2d(8, 8, 5, stride=2), nn.Conv2d(8, 16, 5, groups=4), nn.Conv2d(8, 8, 1)],
    ids=["3x3 depthwise", "dense", "in groups", "1x1"],
)
def test_all_others_stay_in_bfloat16(layer: nn.Module) -> None:
    assert set(trained(layer, torch.randn(2, 8, 12, 12))[1]) == {torch.bfloat16}


def test_without_gradients_all_stay_in_bfloat16() -> None:
    with torch.no_grad():
        assert trained(nn.Conv2d(8, 8, 5, groups=8), torch.randn(1, 8, 9, 9))[1] == [torch.bfloat16]


@pytest.mark.parametrize(("height", "width", "stride"), [(1, 1, 2), (5, 1, 2), (2, 2, 3), (3, 3, 2)])
def test_strided_convolutions_on_tiny_maps_have_true_gradients(height: int, width: int, stride: int) -> None:
    for seed in range(8):
        torch.manual_seed(seed)
        layer, x = nn.Conv2d(16, 32, 3, stride, padding=1), torch.randn(4, 16, height, width)
        seen = trained(layer, x)[1]
        assert set(seen) == {torch.float32}
        ours = layer.weight.grad
        layer.weight.grad = None
        layer(x).square().sum().backward()
        assert ours is not None
        assert layer.weight.grad is not None
        torch.testing.assert_close(ours, layer.weight.grad, rtol=5e-2, atol=5e-2 * float(layer.weight.grad.abs().max()))
