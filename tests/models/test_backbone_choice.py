"""Which network a detector is built over: a name, or a choice with more to say."""

from typing import Any

import pytest
from torch import nn

from osler.models.detection.backbone import BackboneChoice, chosen, make_backbone
from osler.models.registry import create_model
from osler.nn.frozen_batch_norm import FrozenBatchNorm2d
from osler.structures.errors import OslerError, RecipeError

TINY = {"width": 0.125}


def frozen(model: nn.Module) -> int:
    return sum(isinstance(m, FrozenBatchNorm2d) for m in model.modules())


def test_a_name_alone_is_that_network_from_nothing() -> None:
    assert chosen("resnet18", "vgg16") == BackboneChoice(name="resnet18")
    assert chosen(None, "vgg16") == BackboneChoice(name="vgg16")
    assert chosen(BackboneChoice(options=TINY), "vgg16") == BackboneChoice(name="vgg16", options=TINY)


@pytest.mark.parametrize(
    "name", ["retinanet_light", "faster_rcnn_light", "yolo_v1_light", "rcnn_light", "fast_rcnn_light"]
)
def test_a_recipe_gives_a_choice_as_a_mapping(name: str) -> None:
    model = create_model(name, num_classes=2, backbone={"name": "resnet18", "options": TINY, "frozen_norms": True})
    plain = create_model(name, num_classes=2, backbone={"name": "resnet18", "options": TINY})
    assert frozen(model) >= 15  # those of four stages, or of three
    assert frozen(plain) == 0


@pytest.mark.parametrize(
    ("backbone", "complaint"),
    [
        ({"weigths": "none"}, "no option 'backbone.weigths'. Did you mean 'backbone.weights'"),
        ({"name": "resnet18", "frozen_norms": "perhaps"}, "frozen_norms: Input should be a valid boolean"),
        ({"name": "resnet19"}, "no backbone called 'resnet19'. Did you mean 'resnet1"),
        ("ssd300", "no backbone called 'ssd300'"),
        ({"name": "resnet18", "options": {"widht": 2}}, "width"),
        (7, "string"),
    ],
)
def test_what_is_misspelt_is_told(backbone: Any, complaint: str) -> None:
    with pytest.raises(OslerError, match=complaint) as told:
        create_model("retinanet_light", num_classes=2, backbone=backbone)
    assert "retinanet" not in str(told.value).partition("Known:")[2]  # a detector is nobody's backbone


def test_a_missing_stride_names_those_there_are() -> None:
    with pytest.raises(
        RecipeError, match="resnet18 has no feature map of stride 6; its maps have strides 4, 8, 16, 32"
    ):
        make_backbone(BackboneChoice(options=TINY), "resnet18", strides=(6,))
