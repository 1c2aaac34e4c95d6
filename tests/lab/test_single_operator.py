"""The operators of exported networks."""

import pytest
import torch

from osler.lab.single_operator import convolutions_of, exported_operators
from osler.models.deployed import deployed
from osler.models.registry import create_model

PICTURE = torch.zeros(1, 3, 64, 64)


@pytest.mark.craft("LW17")
def test_a_deployed_repvgg_needs_one_kind_of_convolution_and_relu() -> None:
    model = create_model("repvgg_a0", num_classes=5, width=0.125)
    branches, single = exported_operators(model, PICTURE), exported_operators(deployed(model), PICTURE)
    assert single == {"conv2d 3x3": 22, "relu": 22, "adaptive_avg_pool2d": 1, "flatten": 1, "linear": 1}
    assert convolutions_of(branches) == {"conv2d 3x3", "conv2d 1x1"}
    assert branches["batch_norm"] == 22 + 22 + 17
    assert sum(n for name, n in branches.items() if name.startswith("add")) == 22 + 17


@pytest.mark.craft("LW17")
def test_other_networks_need_more_kinds() -> None:
    found = exported_operators(deployed(create_model("mobilenet_v2", num_classes=5, width=0.125)), PICTURE)
    assert convolutions_of(found) == {"conv2d 3x3", "conv2d 1x1", "conv2d 3x3 depthwise"}
    grouped = exported_operators(create_model("repvgg_b1g4", width=0.125, deployed=True), PICTURE)
    assert convolutions_of(grouped) == {"conv2d 3x3", "conv2d 3x3 of 4 groups"}


def test_the_mode_of_the_model_stays() -> None:
    model = create_model("repvgg_a0", num_classes=5, width=0.125, deployed=True).train()
    exported_operators(model, PICTURE)
    assert model.training
