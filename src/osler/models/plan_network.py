"""A plain network from its plan: LeNet, AlexNet, ZFNet, VGG, Network in Network, or a person's own.

| network | input | classes | parameters | multiply-adds |
| --- | --- | --- | --- | --- |
| plan | 3x32x32 | 10 | 289,194 | 38,634,752 |

`osler.models.plan` says how a plan is written; the network called `plan` takes one as its option, in a recipe as

    model:
      name: plan
      options:
        plan: |
          input32
          | conv3-32 bn x2 maxpool2
          | conv3-64 bn x2
          | gap fc-classes

The default is Osler's own `convnet`, but for the biases. Before a fully connected layer the last map is brought to the size that
it has at the plan's input, by the mean of the positions that fall on each place, so that larger and smaller pictures can be
seen; at that input nothing is changed.
"""

import math
from collections.abc import Iterator
from typing import Annotated

from annotated_types import Gt
from jaxtyping import Float
from torch import Tensor, nn

from osler.models.plan import Conv, Full, GlobalAverage, Layer, Plan, Pool
from osler.models.plan_parsing import parse_plan
from osler.models.registry import FeatureMap, networks
from osler.nn.activations import activations
from osler.nn.initialisation import he_initialise
from osler.nn.local_response_norm import LocalResponseNorm
from osler.nn.width import scaled
from osler.structures.errors import RecipeError

DEFAULT = "input32 | conv3-32 bn x2 maxpool2 | conv3-64 bn x2 maxpool2 | conv3-128 bn x2 | gap fc-classes"
GAINS = {"tanh": 5 / 3, "sigmoid": 1.0, "selu": 1.0, "identity": 1.0}  # of He's way; others as ReLU


@networks.register("plan")
class PlanNetwork(nn.Module):
    """Maps, their average, fully connected layers: `features`, `average` and `classifier`, each layer by its number.

    Args:
        num_classes: raw outputs.
        in_channels: of the pictures.
        plan: its text.
        width: multiplies all channels and units but those of the raw outputs.

    Raises:
        RecipeError: the plan does not parse, or the pictures' channels cannot be parted into the first layer's groups.
    """

    def __init__(
        self, num_classes: int, in_channels: int = 3, plan: str = DEFAULT, width: Annotated[float, Gt(0)] = 1.0
    ) -> None:
        super().__init__()
        parsed = parse_plan(plan)
        self.plan = str(parsed)
        layers = _sized(parsed, in_channels, num_classes, width)
        side = 1 if parsed.pools_globally else parsed.side()
        modules, self.feature_maps = _trunk(layers, in_channels)
        dropped = [modules.pop()] if _drops_flattened(parsed) else []
        self.features = nn.Sequential(*modules)
        self.average = nn.AdaptiveAvgPool2d(side)
        self.classifier = nn.Sequential(*dropped, *_classifier(layers, _channels(layers) * side * side))
        _start(self, parsed)
        self.input_size = parsed.input_size
        self.minimum_size = _smallest(parsed)

    def forward(self, images: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch classes"]:
        """Raw outputs of standardised pictures."""
        return self.classifier(self.average(self.features(images)).flatten(1))


def _sized(plan: Plan, in_channels: int, num_classes: int, width: float) -> list[tuple[Layer, int]]:
    """The layers with the channels or units that each gives; groups divide those before and after them."""
    convs = [layer for layer in plan.layers if isinstance(layer, Conv)]
    if in_channels % convs[0].groups:
        raise RecipeError(
            f"The plan begins with {convs[0]}, but pictures of {in_channels} channels cannot be parted into "
            f"{convs[0].groups} groups."
        )
    after = iter([*convs[1:], None])
    sized: list[tuple[Layer, int]] = []
    outputs = in_channels
    for layer in plan.layers:
        if isinstance(layer, Conv):
            following = next(after)
            divisor = math.lcm(8, layer.groups, following.groups if following else 1)
            outputs = num_classes if layer.channels is None else scaled(layer.channels, width, divisor)
        elif isinstance(layer, Full):
            outputs = num_classes if layer.units is None else scaled(layer.units, width)
        sized.append((layer, outputs))
    return sized


def _channels(layers: list[tuple[Layer, int]]) -> int:
    """Of the last map."""
    return [outputs for layer, outputs in layers if not isinstance(layer, Full)][-1]


def _drops_flattened(plan: Plan) -> bool:
    """Whether dropout is the last that happens to the maps before they are flattened: it is the classifier's then."""
    return plan.trunk[-1].dropout is not None and not plan.pools_globally


def _trunk(layers: list[tuple[Layer, int]], in_channels: int) -> tuple[list[nn.Module], tuple[FeatureMap, ...]]:
    """The modules up to the last map, and where they can be cut: before each pooling, and at the end.

    A cut is before dropout, and before the maps of the classes, which are no features.
    """
    modules: list[nn.Module] = []
    cuts: dict[int, FeatureMap] = {}  # by stride: of two at the same stride the later one
    cut = FeatureMap("", in_channels, 1)
    for layer, outputs in layers:
        if not isinstance(layer, (Conv, Pool)):
            break
        if isinstance(layer, Pool):
            cuts[cut.stride] = cut
        made = _conv(layer, _outputs(modules, in_channels), outputs) if isinstance(layer, Conv) else _pool(layer)
        modules += made
        if isinstance(layer, Pool) or layer.channels is not None or not cut.module:
            last = len(modules) - 1 - (layer.dropout is not None)
            cut = FeatureMap(f"features.{last}", outputs, cut.stride * layer.stride)
    cuts[cut.stride] = cut
    return modules, tuple(cuts.values())


def _outputs(modules: list[nn.Module], in_channels: int) -> int:
    """Channels of what the modules give."""
    return next((m.out_channels for m in reversed(modules) if isinstance(m, nn.Conv2d)), in_channels)


def _conv(layer: Conv, in_channels: int, out_channels: int) -> Iterator[nn.Module]:
    yield nn.Conv2d(in_channels, out_channels, layer.kernel, layer.stride, layer.padding, groups=layer.groups)
    if layer.norm == "bn":
        yield nn.BatchNorm2d(out_channels)
    yield from _activation(layer.activation)
    if layer.norm == "lrn":
        yield LocalResponseNorm()
    yield from _dropout(layer)


def _pool(layer: Pool) -> Iterator[nn.Module]:
    made = nn.MaxPool2d if layer.kind == "max" else nn.AvgPool2d
    yield made(layer.kernel, layer.stride, layer.padding, ceil_mode=layer.ceil)
    if layer.norm == "lrn":
        yield LocalResponseNorm()
    yield from _dropout(layer)


def _classifier(layers: list[tuple[Layer, int]], inputs: int) -> Iterator[nn.Module]:
    for layer, outputs in layers:
        if isinstance(layer, GlobalAverage):
            yield from _dropout(layer)
        elif isinstance(layer, Full):
            yield from _full(layer, inputs, outputs)
            inputs = outputs


def _full(layer: Full, inputs: int, outputs: int) -> Iterator[nn.Module]:
    yield nn.Linear(inputs, outputs)
    if layer.norm == "bn":
        yield nn.BatchNorm1d(outputs)
    yield from _activation(layer.activation)
    yield from _dropout(layer)


def _activation(name: str) -> Iterator[nn.Module]:
    if name != "identity":
        yield activations[name].make()


def _dropout(layer: Layer) -> Iterator[nn.Module]:
    if layer.dropout is not None:
        yield nn.Dropout(layer.dropout)


def _start(model: PlanNetwork, plan: Plan) -> None:
    """He's weights, by the activation of the first layer; the head, also a convolution, with gain 1."""
    first = plan.layers[0]
    gain = GAINS.get(first.activation, math.sqrt(2.0)) if isinstance(first, Conv) else math.sqrt(2.0)
    he_initialise(model, gain=gain)
    if not plan.classifier:
        head = [module for module in model.features if isinstance(module, nn.Conv2d)][-1]
        inputs = head.weight[0].numel()
        if not head.weight.is_meta:
            nn.init.normal_(head.weight, 0.0, 1 / math.sqrt(inputs))


def _smallest(plan: Plan) -> int:
    """The side from which on every window fits."""
    for size in range(1, plan.input_size):
        try:
            plan.side(size)
        except RecipeError:
            continue
        return size
    return plan.input_size
