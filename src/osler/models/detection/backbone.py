"""Any classification network as the backbone of a detector: cut where it describes its feature maps.

The network's own forward pass is traced with the stages between two cuts as single steps, and what only the classifier
needs is dropped. What is left is a plain module with the network's own submodule names, which trains, exports and counts as
any other.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from jaxtyping import Float
from pydantic import ConfigDict
from torch import Tensor, fx, nn

from osler.models.registry import FeatureMap, create_model, feature_maps, list_models
from osler.nn.frozen_batch_norm import freeze_batch_norms
from osler.structures.errors import RecipeError, UnknownNameError
from osler.structures.person_code import is_file_spec
from osler.structures.registry import unknown

USUAL_MOMENTUM = 0.1  # torch's own

Maps = list[Float[Tensor, "batch channels height width"]]


class Backbone(nn.Module):
    """The feature maps of a network, finest first.

    Args:
        network: a network that describes its feature maps.
        maps: which of them: consecutive or not, in any number, finest first.
    """

    def __init__(self, network: nn.Module, maps: Sequence[FeatureMap]) -> None:
        super().__init__()
        if not maps:
            raise RecipeError("A backbone needs at least one feature map of its network.")
        self.body = _cut(network, [m.module for m in maps])
        self.channels = tuple(m.channels for m in maps)
        self.strides = tuple(m.stride for m in maps)

    def forward(self, images: Float[Tensor, "batch channels height width"]) -> Maps:
        """The maps of standardised pictures."""
        return list(self.body(images))


@dataclass(frozen=True, slots=True, kw_only=True)
class BackboneChoice:
    """The network over which a detector is built, where its name alone does not say enough.

    Attributes:
        name: a registered network, or a person's own as `my_net.py:Net`; None: the detector's own.
        weights: from which it starts: `torchvision`, `timm`, `torchvision:PATH`; `none`: random.
        frozen_norms: batch norm with fixed statistics and parameters, as detectors use that see one or two pictures at
            a time (He et al. 2017, "Mask R-CNN", code; Ren et al. 2015 kept ResNet's norms fixed).
        options: of the network.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    name: str | None = None
    weights: str = "none"
    frozen_norms: bool = False
    options: dict[str, Any] = field(default_factory=dict)

    def network(self, in_channels: int) -> nn.Module:
        """The whole network, with its classifier.

        Raises:
            UnknownNameError: no network that classifies has that name.
        """
        assert self.name is not None, "a detector's own name was filled in before"
        if not is_file_spec(self.name) and self.name not in list_models():
            raise UnknownNameError(unknown("backbone", self.name, list_models()))
        network = create_model(
            self.name, num_classes=1000, in_channels=in_channels, weights=self.weights, **self.options
        )
        if self.frozen_norms:
            freeze_batch_norms(network)
        elif self.weights == "none":
            follow_quickly(network)
        return network

    def cut(self, in_channels: int, strides: Sequence[int]) -> Backbone:
        """The network cut at the deepest map of each stride.

        Raises:
            RecipeError: the network has no map of one of the strides; the message lists those that it has.
        """
        network = self.network(in_channels)
        by_stride = {m.stride: m for m in feature_maps(network)}
        missing = [s for s in strides if s not in by_stride]
        if missing:
            has = ", ".join(map(str, sorted(by_stride)))
            raise RecipeError(f"{self.name} has no feature map of stride {missing[0]}; its maps have strides {has}.")
        return Backbone(network, [by_stride[s] for s in strides])


BackboneOption = str | BackboneChoice | None


def chosen(backbone: BackboneOption, own: str) -> BackboneChoice:
    """The choice that an option makes, of a detector whose own backbone is `own`."""
    choice = BackboneChoice(name=backbone) if isinstance(backbone, str) else backbone or BackboneChoice()
    return replace(choice, name=choice.name or own)


def make_backbone(backbone: BackboneOption, own: str, *, in_channels: int = 3, strides: Sequence[int]) -> Backbone:
    """A network, cut at the deepest map of each stride.

    Args:
        backbone: which, as a person chose.
        own: the detector's own, where the choice leaves that open.
        in_channels: of the pictures.
        strides: pixels of the picture per position of the wanted maps, finest first.

    Raises:
        RecipeError: the network has no map of one of the strides; the message lists those that it has.
    """
    return chosen(backbone, own).cut(in_channels, strides)


def follow_quickly(network: nn.Module) -> None:
    """Norms follow a training of a few hundred updates: at momentum 0.01, half of the start is still there after 70."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d) and module.momentum is not None:
            module.momentum = max(module.momentum, USUAL_MOMENTUM)


class _Stages(fx.Tracer):
    """Traces a network with every module as one step that holds none of the cuts inside it."""

    def __init__(self, cuts: Sequence[str]) -> None:
        super().__init__()
        self._cuts = cuts
        self.outputs: dict[
            str, fx.Node
        ] = {}  # what each module gave, by its name, also of those that were stepped into

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        """Whether a module is one step."""
        return not any(cut.startswith(f"{module_qualified_name}.") for cut in self._cuts)

    def call_module(
        self, m: nn.Module, forward: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """Takes the step, and notes what came out."""
        given = super().call_module(m, forward, args, kwargs)
        if isinstance(given, fx.Proxy):
            self.outputs[self.path_of_module(m)] = given.node
        return given


def _cut(network: nn.Module, cuts: Sequence[str]) -> fx.GraphModule:
    """The network up to its last cut, giving the output of each.

    Raises:
        RecipeError: the forward pass cannot be followed, or does not call a cut as a module.
    """
    was_training, stages = network.training, _Stages(cuts)
    try:
        graph = stages.trace(network.eval())
    except Exception as error:  # whatever a person's forward pass does that cannot be traced
        raise RecipeError(
            f"{type(network).__name__} cannot be a backbone: its forward pass cannot be followed ({error})."
        ) from error
    finally:
        network.train(was_training)
    absent = [cut for cut in cuts if cut not in stages.outputs]
    if absent:
        raise RecipeError(f"{type(network).__name__} does not call {absent[0]} as a module: it cannot be cut there.")
    body = fx.GraphModule(network, graph)
    output = next(node for node in graph.nodes if node.op == "output")
    output.args = (tuple(stages.outputs[cut] for cut in cuts),)
    body.graph.eliminate_dead_code()
    body.recompile()
    body.delete_all_unused_submodules()
    return body.train(was_training)
