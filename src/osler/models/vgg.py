"""VGG (Simonyan and Zisserman 2014, "Very deep convolutional networks", arXiv 1409.1556, table 1).

| network | input | classes | parameters | multiply-adds |
| --- | --- | --- | --- | --- |
| vgg11 | 3x224x224 | 1000 | 132,863,336 | 7,609,090,048 |
| vgg11_lrn | 3x224x224 | 1000 | 132,863,336 | 7,609,090,048 |
| vgg13 | 3x224x224 | 1000 | 133,047,848 | 11,308,466,176 |
| vgg16_c | 3x224x224 | 1000 | 133,638,952 | 11,770,888,192 |
| vgg16 | 3x224x224 | 1000 | 138,357,544 | 15,470,264,320 |
| vgg19 | 3x224x224 | 1000 | 143,667,240 | 19,632,062,464 |
| vgg11_bn | 3x224x224 | 1000 | 132,868,840 | 7,609,090,048 |
| vgg13_bn | 3x224x224 | 1000 | 133,053,736 | 11,308,466,176 |
| vgg16_bn | 3x224x224 | 1000 | 138,365,992 | 15,470,264,320 |
| vgg19_bn | 3x224x224 | 1000 | 143,678,248 | 19,632,062,464 |

Columns A, A-LRN, B, C (1x1 kernels end its last three stages), D and E; those with batch norm (Ioffe and Szegedy 2015) came
later, and public weights keep the biases before it. Most parameters of each are in the fully connected layers.

Weights start He's way in place of the paper's normal ones of spread 0.01, from which the deeper networks did not start
without a trained shallower one (section 3.1). With `stem="small"` the plan is for pictures of 32, of which five poolings
leave one position.
"""

import re
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Lt

from osler.models.plan_network import PlanNetwork
from osler.models.public_names import publish
from osler.models.registry import register_table

Stages = tuple[str, str, str, str, str]

COLUMNS: dict[str, Stages] = {
    "vgg11": ("conv3-64", "conv3-128", "conv3-256 x2", "conv3-512 x2", "conv3-512 x2"),
    "vgg11_lrn": ("conv3-64 lrn", "conv3-128", "conv3-256 x2", "conv3-512 x2", "conv3-512 x2"),
    "vgg13": ("conv3-64 x2", "conv3-128 x2", "conv3-256 x2", "conv3-512 x2", "conv3-512 x2"),
    "vgg16_c": (
        "conv3-64 x2",
        "conv3-128 x2",
        "conv3-256 x2 conv1-256",
        "conv3-512 x2 conv1-512",
        "conv3-512 x2 conv1-512",
    ),
    "vgg16": ("conv3-64 x2", "conv3-128 x2", "conv3-256 x3", "conv3-512 x3", "conv3-512 x3"),
    "vgg19": ("conv3-64 x2", "conv3-128 x2", "conv3-256 x4", "conv3-512 x4", "conv3-512 x4"),
}
NORMED = ("vgg11", "vgg13", "vgg16", "vgg19")
HEAD = "fc-4096 drop{dropout:f} x2 fc-classes"


def vgg(
    stages: Stages,
    num_classes: int,
    in_channels: int = 3,
    stem: Literal["imagenet", "small"] = "imagenet",
    width: Annotated[float, Gt(0)] = 1.0,
    dropout: Annotated[float, Ge(0), Lt(1)] = 0.5,
) -> PlanNetwork:
    """Five stages of convolutions, each ended by a pooling, and three fully connected layers.

    Args:
        stages: the convolutions of each, as a plan writes them.
        num_classes: raw outputs.
        in_channels: of the pictures.
        stem: `small` for pictures of 32 pixels; the layers are the same, but the first fully connected one sees one position.
        width: multiplies all channels and units.
        dropout: share of the hidden units that are dropped in training.
    """
    side = "input224" if stem == "imagenet" else "input32"
    plan = " | ".join([side, *(f"{stage} maxpool2" for stage in stages), HEAD.format(dropout=dropout)])
    return PlanNetwork(num_classes, in_channels, plan=plan, width=width)


def with_batch_norm(stages: Stages) -> Stages:
    """The same convolutions, each with batch norm before its activation."""
    return tuple(re.sub(r"(conv\S+)", r"\1 bn", stage) for stage in stages)  # type: ignore[return-value]


NETWORKS = COLUMNS | {f"{name}_bn": with_batch_norm(COLUMNS[name]) for name in NORMED}
register_table({name: (stages,) for name, stages in NETWORKS.items()}, vgg)
for name in NORMED:
    publish("torchvision", name)
    publish("torchvision", f"{name}_bn")
