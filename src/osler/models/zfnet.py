"""ZFNet (Zeiler and Fergus 2014, "Visualizing and understanding convolutional networks", arXiv 1311.2901, figure 3).

| network | input | classes | parameters | multiply-adds |
| --- | --- | --- | --- | --- |
| zfnet | 3x224x224 | 1000 | 62,357,608 | 1,168,032,896 |

AlexNet on one GPU, so that every map sees all maps before it, with a first kernel of 7x7 at stride 2 in the place of 11x11
at stride 4 (section 4.1): its views of features, which `osler.lab.deconvnet` draws, showed that the larger kernel
missed the middle frequencies and the larger stride made patterns of its own. Local response norm comes after the pooling.
Maps have 110, 55, 26, 13 and 6 positions a side, as printed; these sizes give the parameters, of which the paper says
nothing.

With `stem="small"` both strides of the first two convolutions are 1 and the first kernel is 5x5, for pictures of 32.
"""

from typing import Annotated, Literal

from annotated_types import Ge, Gt, Lt

from osler.models.plan_network import PlanNetwork
from osler.models.registry import networks

PLAN = """
input224
| conv7-96/2 pad1        maxpool3/2 ceil lrn
| conv5-256/2 pad0       maxpool3/2 ceil lrn
| conv3-384 x2 conv3-256 maxpool3/2
| fc-4096 drop0.5 x2 fc-classes
"""
SMALL = (("input224", "input32"), ("7-96/2 pad1", "5-96"), ("5-256/2 pad0", "5-256"))


@networks.register("zfnet")
def zfnet(
    num_classes: int,
    in_channels: int = 3,
    stem: Literal["imagenet", "small"] = "imagenet",
    width: Annotated[float, Gt(0)] = 1.0,
    dropout: Annotated[float, Ge(0), Lt(1)] = 0.5,
) -> PlanNetwork:
    """Five convolutions, three fully connected layers.

    Args:
        num_classes: raw outputs.
        in_channels: of the pictures.
        stem: `small` keeps the resolution, for pictures of 32 pixels.
        width: multiplies all channels and units.
        dropout: share of the hidden units that are dropped in training.
    """
    plan = PLAN.replace("drop0.5", f"drop{dropout:f}")
    for large, little in SMALL if stem == "small" else ():
        plan = plan.replace(large, little)
    return PlanNetwork(num_classes, in_channels, plan=plan, width=width)
