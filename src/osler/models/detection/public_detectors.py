"""torchvision's detectors that ours can be, and what their tensors are called here.

Those trained on COCO have 90 classes, some of them empty: `num_classes=90`, and class number k of ours is their k + 1. Files of
before 2022 number the layers of a block in another way; both are read.
"""

from osler.models.public_names import publish

Renames = list[tuple[str, str]]

PYRAMID: Renames = [
    (r"^backbone\.body\.", "backbone.body."),
    (r"^backbone\.fpn\.(inner|layer)_blocks\.(\d)\.(?:0\.)?", r"neck.\1_blocks.\2."),
    (r"^backbone\.fpn\.extra_blocks\.", "neck."),
]
PROPOSALS: Renames = [
    (r"^rpn\.head\.conv\.(?:0\.0\.)?", "proposals.conv."),
    (r"^rpn\.head\.cls_logits\.", "proposals.objectness."),
    (r"^rpn\.head\.bbox_pred\.", "proposals.codes."),
]
REGIONS: Renames = [
    (r"^roi_heads\.box_head\.", "regions."),
    (r"^roi_heads\.box_predictor\.cls_score\.", "regions.scores."),
    (r"^roi_heads\.box_predictor\.bbox_pred\.", "regions.codes."),
]
MASKS: Renames = [
    *((rf"^roi_heads\.mask_head\.(?:{i}\.0|mask_fcn{i + 1})\.", f"masks.convolutions.{2 * i}.") for i in range(4)),
    (r"^roi_heads\.mask_predictor\.conv5_mask\.", "masks.enlarge."),
    (r"^roi_heads\.mask_predictor\.mask_fcn_logits\.", "masks.masks."),
]


def _tower(theirs: str, ours: str) -> Renames:
    """RetinaNet's four convolutions, by their numbers alone or with the ReLUs counted in between."""
    return [(rf"^{theirs}\.(?:{i}\.0|{2 * i}(?!\.0))\.", f"{ours}.{2 * i}.") for i in range(4)]


publish(
    "torchvision",
    "fasterrcnn_resnet50_fpn",
    "faster_rcnn",
    renames=PYRAMID + PROPOSALS + REGIONS,
    heads=[r"^regions\.(scores|codes)\."],
)
publish(
    "torchvision",
    "maskrcnn_resnet50_fpn",
    "mask_rcnn",
    renames=PYRAMID + PROPOSALS + REGIONS + MASKS,
    heads=[r"^regions\.(scores|codes)\.", r"^masks\.masks\."],
)
publish(
    "torchvision",
    "retinanet_resnet50_fpn",
    "retinanet",
    renames=[
        *PYRAMID,
        (r"^head\.classification_head\.cls_logits\.", "head.scores.0.8."),
        (r"^head\.regression_head\.bbox_reg\.", "head.codes.0.8."),
        *_tower(r"head\.classification_head\.conv", "head.scores.0"),
        *_tower(r"head\.regression_head\.conv", "head.codes.0"),
    ],
    heads=[r"^head\.scores\.0\.8\."],
    background_column=True,
)
publish(
    "torchvision",
    "ssd300_vgg16",
    "ssd300",
    renames=[
        *((rf"^backbone\.extra\.0\.{i + 1}\.", f"backbone.conv5.{i}.") for i in (0, 2, 4)),
        (r"^backbone\.extra\.0\.7\.1\.", "backbone.fc6."),
        (r"^backbone\.extra\.0\.7\.3\.", "backbone.fc7."),
        *((rf"^backbone\.extra\.{i + 1}\.", f"neck.blocks.{i}.") for i in range(4)),
        (r"^head\.classification_head\.module_list\.", "head.scores."),
        (r"^head\.regression_head\.module_list\.", "head.codes."),
    ],
    heads=[r"^head\.scores\."],
)
