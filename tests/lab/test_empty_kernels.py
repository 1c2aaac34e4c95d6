from pathlib import Path

import pytest
import torch

from osler.lab.empty_kernels import clear_empty_kernels, emptied_by_decay, empty_kernels, small_mobilenet
from osler.models.registry import create_model

WEIGHTS = Path(__file__).parents[2].parent / "shared" / "data" / "weights" / "mobilenet_v2_imagenet_fp16.safetensors"


@pytest.mark.craft("LW04")
def test_kernels_are_counted_layer_by_layer_with_their_norms() -> None:
    model = small_mobilenet().eval()
    assert [row.kernels for row in empty_kernels(model)] == [16, 32, 64, 64]
    assert [row.empty for row in empty_kernels(model)] == [0, 0, 0, 0]
    with torch.no_grad():
        model[2].depthwise.conv.weight[3:6] = 0
        model[3].depthwise.norm.weight[7] = 1e-6  # the norm switches the channel off
        model[4].depthwise.conv.weight.mul_(1e-3)  # small as a whole is not empty
    assert [row.empty for row in empty_kernels(model)] == [3, 1, 0, 0]
    assert clear_empty_kernels(model) == 4
    assert not model[3].depthwise.conv.weight[7].any()
    assert [row.empty for row in empty_kernels(model)] == [3, 1, 0, 0]


@pytest.mark.craft("LW04")
def test_weight_decay_empties_kernels_that_nothing_needs() -> None:
    without, decayed = emptied_by_decay()
    assert without.kernels == decayed.kernels == 176
    assert without.empty == 0
    assert decayed.empty >= 5
    assert min(without.accuracy, decayed.accuracy) > 0.9
    assert decayed.accuracy_cleared == pytest.approx(decayed.accuracy, abs=0.0051), "at most two of 400 answers"


@pytest.mark.craft("LW04")
def test_a_public_network_has_some() -> None:
    """MobileNetV2 trained on ImageNet: 6 of 32 kernels of its first depthwise layer."""
    if not WEIGHTS.is_file():
        pytest.skip(f"{WEIGHTS} is not there")
    rows = empty_kernels(create_model("mobilenet_v2", weights=f"torchvision:{WEIGHTS}").eval())
    assert (rows[0].kernels, rows[0].empty) == (32, 6)
    assert sum(row.empty for row in rows[1:]) < 0.01 * sum(row.kernels for row in rows[1:])
