"""The field's networks in the order of their years: what each brought, what it costs, how often it is right.

Years are those in which a paper was first public. Costs are counted from our networks at their published size.
"""

from dataclasses import dataclass

import torch

from osler.models.choosing import weigh
from osler.models.published_accuracy import published_accuracy
from osler.models.registry import create_model

NEWS = (  # year, network, classes, what was new
    (1998, "lenet5", 10, "convolutions with shared weights and pooling, trained from pixels to digits as one"),
    (2012, "alexnet", 1000, "depth on photographs: ReLU, dropout, overlapping pooling, two GPUs; 4,096 features for other tasks"),
    (2013, "zfnet", 1000, "a look at the features, and what it changed: a smaller first kernel and stride"),
    (2013, "nin_imagenet", 1000, "1x1 convolutions between the others; the mean of a map in the place of connected layers"),
    (2014, "vgg16", 1000, "nothing but 3x3 kernels, two and three in a row"),
    (2014, "googlenet", 1000, "several kernels side by side, 1x1 convolutions that save, auxiliary classifiers"),
    (2015, "bn_inception", 1000, "batch norm; two 3x3 kernels for one of 5x5"),
    (2015, "inception_v3", 1000, "kernels taken apart into 1xn and nx1, label smoothing"),
    (2015, "resnet152", 1000, "shortcuts, with which depth helps up to hundreds of layers"),
    (2016, "resnet164_preact", 10, "norm and activation before the convolution, shortcuts that change nothing"),
    (2016, "inception_v4", 1000, "a uniform stem and reduction blocks"),
    (2016, "inception_resnet_v2", 1000, "inception blocks with shortcuts"),
    (2016, "densenet121", 1000, "every layer sees the maps of all before it: few parameters"),
    (2017, "mobilenet_v1", 1000, "depthwise-separable convolutions, a width that is chosen"),
    (2017, "senet154", 1000, "channels weighed by what is in the whole picture"),
    (2018, "mobilenet_v2", 1000, "inverted residuals with linear bottlenecks"),
    (2019, "mobilenet_v3_large", 1000, "found by search; h-swish, squeeze-and-excitation"),
    (2021, "repvgg_b1", 1000, "branches in training that become one 3x3 convolution in use"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Milestone:
    """A network in the field's history."""

    year: int
    name: str
    news: str
    input_size: int  # pixels a side
    parameters: int  # with the classes for which it was published
    multiply_adds: int  # for one picture of that size
    accuracy: float | None  # percent, as published; None: not known, or on digits


def timeline() -> list[Milestone]:
    """The history, oldest first. No weights are made."""
    return [_milestone(*row) for row in NEWS]


def _milestone(year: int, name: str, classes: int, news: str) -> Milestone:
    channels = 1 if name == "lenet5" else 3
    with torch.device("meta"):
        side = int(create_model(name, num_classes=classes, in_channels=channels).input_size)  # type: ignore[arg-type]
    cost = weigh(name, (side, side), classes, channels)
    assert cost is not None, name  # a network sees the pictures for which it was published
    return Milestone(year, name, news, side, cost.parameters, cost.multiply_adds, published_accuracy(name))


def as_table(milestones: list[Milestone]) -> list[str]:
    """The lines of a table in Markdown."""
    lines = [
        "| year | network | side | parameters | multiply-adds | top-1, % | what was new |",
        "| ---: | --- | ---: | ---: | ---: | ---: | --- |",
    ]
    for m in milestones:
        right = "" if m.accuracy is None else f"{m.accuracy:.1f}"
        costs = f"{m.input_size} | {m.parameters:,} | {m.multiply_adds:,}"
        lines.append(f"| {m.year} | {m.name} | {costs} | {right} | {m.news} |")
    return lines
