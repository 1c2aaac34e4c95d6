"""What a training keeps, told by shapes alone, is what autograd keeps of real numbers."""

import pytest
import torch
from torch import Tensor, nn

from osler.anatomy.inspecting import inspect_network
from osler.models.registry import create_model, minimum_size


def really_kept(model: nn.Module, images: Tensor) -> int:
    """Bytes of the storages that autograd saves in one real forward pass, beyond the parameters and buffers."""
    model.train()
    own = {t.untyped_storage().data_ptr() for t in (*model.parameters(), *model.buffers())}
    kept: dict[int, tuple[Tensor, int]] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = (tensor, storage.nbytes())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        model(images)
    return sum(size for _, size in kept.values())


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v2", "densenet_bc100", "vgg11_bn", "googlenet"])
def test_bytes_kept_are_those_of_a_real_training(name: str) -> None:
    torch.manual_seed(0)
    side = minimum_size(name) + 8
    model = create_model(name, num_classes=5)
    counted = inspect_network(model, (3, side, side))
    assert counted.training_bytes == really_kept(model, torch.randn(2, 3, side, side)) // 2


def test_each_layer_keeps_what_its_derivative_needs() -> None:
    model = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(0.5), nn.Flatten(), nn.Linear(144, 2)
    )
    counted = inspect_network(model, (3, 8, 8))
    map_, picture = 4 * 4 * 36, 4 * 3 * 64
    kept = {layer.path: layer.training_bytes for layer in counted.layers}
    assert kept["0"] == picture  # the convolution's input
    assert kept["1"] == map_ + 4 * 4  # the norm's input, mean and deviation, of a batch of two halved
    assert kept["2"] == map_  # what ReLU put out tells where it was open
    assert counted.training_only == {"3": map_}  # the mask: evaluation runs no dropout
    assert kept["5"] == map_  # what dropout put out, the linear layer's input
    assert counted.training_bytes == picture + 4 * map_ + 16


def test_a_network_that_fails_in_training_is_still_inspected() -> None:
    class Eval(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            if self.training:
                raise ValueError("not made for training")
            return x * 2

    counted = inspect_network(Eval(), (3, 4, 4))
    assert counted.training_bytes is None
    assert "in training mode it fails (not made for training)" in counted.notes[0]
    assert "?" in str(counted)
