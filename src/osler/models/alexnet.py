"""AlexNet (Krizhevsky, Sutskever, Hinton 2012, "ImageNet classification with deep convolutional neural networks").

| network | input | classes | parameters | multiply-adds |
| --- | --- | --- | --- | --- |
| alexnet | 3x227x227 | 1000 | 60,965,224 | 724,406,816 |

Section 3.5 and figure 2. The paper's two GPUs each hold half of the maps and talk at the third convolution and at the
fully connected layers only: the groups of the others. Pictures have 227 pixels a side, for the printed 224 do not give
the printed maps of 55x55.

`form="one_tower"` is the network of Krizhevsky 2014 ("One weird trick for parallelizing convolutional neural networks",
arXiv 1404.5997, footnote 1): a single tower of 64, 192, 384, 256 and 256 maps without local response norm, for pictures
of 224 pixels, with 61,100,840 parameters; public weights are of that form, with dropout before both hidden layers.

With `stem="small"` the first kernel has 5x5 pixels and stride 1, for pictures of 32.
"""

from typing import Annotated, Literal

import torch
from annotated_types import Ge, Gt, Lt
from torch import nn

from osler.models.plan_network import PlanNetwork
from osler.models.public_names import publish
from osler.models.registry import networks

PLANS = {
    "two_towers": """
        input227
        | conv11-96/4 pad0 lrn maxpool3/2
        | conv5-256 groups2 lrn maxpool3/2
        | conv3-384
          conv3-384 groups2
          conv3-256 groups2 maxpool3/2
        | fc-4096 drop0.5 x2 fc-classes
        """,
    "one_tower": """
        input224
        | conv11-64/4 pad2 maxpool3/2
        | conv5-192 maxpool3/2
        | conv3-384 conv3-256 x2 maxpool3/2 drop0.5
        | fc-4096 drop0.5 fc-4096 fc-classes
        """,
}
SMALL = (("input227", "input32"), ("input224", "input32"), ("11-96/4 pad0", "5-96"), ("11-64/4 pad2", "5-64"))


@networks.register("alexnet")
def alexnet(
    num_classes: int,
    in_channels: int = 3,
    form: Literal["two_towers", "one_tower"] = "two_towers",
    stem: Literal["imagenet", "small"] = "imagenet",
    width: Annotated[float, Gt(0)] = 1.0,
    dropout: Annotated[float, Ge(0), Lt(1)] = 0.5,
    start: Literal["he", "2012"] = "he",
) -> PlanNetwork:
    """Five convolutions, three fully connected layers.

    Args:
        num_classes: raw outputs.
        in_channels: of the pictures.
        form: of 2012, on two GPUs, or of 2014.
        stem: `small` keeps the resolution, for pictures of 32 pixels.
        width: multiplies all channels and units.
        dropout: share of the hidden units that are dropped in training.
        start: how weights start: He's way, or the paper's.
    """
    plan = PLANS[form].replace("drop0.5", f"drop{dropout:f}")
    for large, little in SMALL if stem == "small" else ():
        plan = plan.replace(large, little)
    model = PlanNetwork(num_classes, in_channels, plan=plan, width=width)
    if start == "2012":
        start_as_in_2012(model)
    return model


@torch.no_grad()
def start_as_in_2012(model: PlanNetwork) -> None:
    """Weights normal with spread 0.01; biases 1 where that wakes the ReLU early, else 0 (section 5). In place.

    It is 1 in the second, fourth and fifth convolution and in the hidden fully connected layers.
    """
    convs = [m for m in model.features if isinstance(m, nn.Conv2d)]
    linears = [m for m in model.classifier if isinstance(m, nn.Linear)]
    layers: list[nn.Conv2d | nn.Linear] = [*convs, *linears]
    awake = {convs[1], convs[3], convs[4], *linears[:-1]}
    for layer in layers:
        nn.init.normal_(layer.weight, 0.0, 0.01)
        if layer.bias is not None:
            nn.init.constant_(layer.bias, 1.0 if layer in awake else 0.0)


publish("torchvision", "alexnet", form="one_tower")
