"""Network in Network (Lin, Chen, Yan 2013, "Network in network", arXiv 1312.4400).

| network | input | classes | parameters | multiply-adds |
| --- | --- | --- | --- | --- |
| nin_cifar10 | 3x32x32 | 10 | 966,986 | 222,486,528 |
| nin_imagenet | 3x224x224 | 1000 | 7,595,176 | 1,100,188,800 |

An mlpconv layer (section 3.1) is a convolution and two of 1x1: a small fully connected network that sees each place with
its neighbourhood. The last one has a map for each class, whose mean is the class's raw output (section 3.2): there is no
fully connected layer.

The paper prints no widths; these are of the definitions that its authors published with their weights (gists e56253735ef3
for CIFAR-10 and d802a5849de3 for ImageNet, whose file of 29 MB holds as many numbers). There the maps of the classes pass a
ReLU as well (`rectified=True`); without it, as here, a raw output may be negative and a class whose map is silent still
learns.
"""

from typing import Annotated

from annotated_types import Ge, Gt, Lt

from osler.models.plan_network import PlanNetwork
from osler.models.registry import register_table

CIFAR10 = """
input32
| conv5-192  conv1-160 conv1-96 maxpool3/2 ceil drop0.5
| conv5-192  conv1-192 x2       avgpool3/2 ceil drop0.5
| conv3-192  conv1-192 conv1-classes gap
"""
IMAGENET = """
input224
| conv11-96/4 pad0 conv1-96 x2 maxpool3/2 ceil
| conv5-256  conv1-256 x2      maxpool3/2 ceil
| conv3-384  conv1-384 x2      maxpool3/2 ceil drop0.5
| conv3-1024 conv1-1024 conv1-classes gap
"""


def network_in_network(
    plan: str,
    num_classes: int,
    in_channels: int = 3,
    width: Annotated[float, Gt(0)] = 1.0,
    dropout: Annotated[float, Ge(0), Lt(1)] = 0.5,
    rectified: bool = False,
) -> PlanNetwork:
    """Mlpconv layers, then the mean of a map for each class.

    Args:
        plan: its text.
        num_classes: raw outputs.
        in_channels: of the pictures.
        width: multiplies all channels.
        dropout: share of the values that are dropped in training after a pooling.
        rectified: whether the maps of the classes pass a ReLU.
    """
    written = plan.replace("drop0.5", f"drop{dropout:f}")
    if rectified:
        written = written.replace("conv1-classes", "conv1-classes relu")
    return PlanNetwork(num_classes, in_channels, plan=written, width=width)


register_table({"nin_cifar10": (CIFAR10,), "nin_imagenet": (IMAGENET,)}, network_in_network)
