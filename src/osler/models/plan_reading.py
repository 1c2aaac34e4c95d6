"""The plan of a network that exists: read from its modules as they are called, if each sees what the one before gave."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from osler.models.plan import Conv, Full, GlobalAverage, Layer, Plan, Pool
from osler.models.plan_parsing import parse_plan
from osler.nn.activations import activations
from osler.nn.local_response_norm import LocalResponseNorm
from osler.structures.errors import RecipeError

ORDER = ("bn", "activation", "lrn", "dropout")  # in which a plan's layer has them


def read_plan(model: nn.Module, size: int | None = None, channels: int = 3) -> Plan:
    """What the network would be as a plan. Biases are not told apart: a plan's layers have them.

    Args:
        model: a network, also on the `meta` device.
        size: side of the picture that is shown to it, by default the network's `input_size`.
        channels: of that picture.

    Raises:
        RecipeError: the network is not plain: it branches or adds, computes between its modules, or has a module that no
            word of a plan describes. The message says where.
    """
    side = int(model.input_size) if size is None else size  # type: ignore[arg-type]
    reader = _Reader()
    for call in _chain(model, side, channels):
        reader.read(call)
    if not reader.layers:
        raise RecipeError(f"{type(model).__name__} calls no layers, so it has no plan.")
    return parse_plan(str(Plan(side, tuple(_with_classes(reader.layers)))))  # which knows what may follow what


@dataclass(frozen=True, slots=True)
class _Call:
    """A module that was called, what it saw and what it gave."""

    name: str
    module: nn.Module
    seen: Tensor
    given: Tensor
    seen_version: int  # how often the tensor had been changed in place before the call, and after it
    given_version: int

    @property
    def place(self) -> str:
        return f"{self.name} ({type(self.module).__name__})"


def _chain(model: nn.Module, side: int, channels: int) -> list[_Call]:
    """The calls of modules without parts, in order; each sees what the one before gave, or the same values in other rows."""
    calls: list[_Call] = []
    picture, answer = _called(model, side, channels, calls.append)
    before, version, who = picture, 0, "the picture"
    for call in calls:
        if not _same_values(before, call.seen) or version != call.seen_version:
            raise RecipeError(
                f"{type(model).__name__} is not plain: {call.place} does not see just what {who} gives. It branches, "
                "adds, or computes between its modules."
            )
        before, version, who = call.given, call.given_version, call.place
    if not _same_values(before, answer) or version != answer._version:
        raise RecipeError(f"{type(model).__name__} is not plain: its answer is not just what {who} gives.")
    return calls


def _called(model: nn.Module, side: int, channels: int, note: Callable[[_Call], None]) -> tuple[Tensor, Any]:
    """A forward pass of an empty picture, in evaluation, with `note` told of each call."""

    versions: list[int] = []  # of what each call sees that has not ended yet: a module may change it in place

    def before(module: nn.Module, inputs: tuple[Any, ...]) -> None:
        versions.append(_one_tensor(module, inputs)._version)

    def after(name: str) -> Callable[[nn.Module, tuple[Any, ...], Any], None]:
        def told(module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
            given = _one_tensor(module, (output,))
            note(_Call(name, module, inputs[0], given, versions.pop(), given._version))

        return told

    parts = [(name, m) for name, m in model.named_modules() if not list(m.children())]
    handles = [m.register_forward_pre_hook(before) for _, m in parts]
    handles += [m.register_forward_hook(after(name)) for name, m in parts]
    parameter = next(model.parameters(), torch.empty(0))
    picture = torch.zeros(1, channels, side, side, device=parameter.device, dtype=parameter.dtype)
    was_training = model.training
    try:
        with torch.no_grad():
            return picture, model.eval()(picture)
    finally:
        model.train(was_training)
        for handle in handles:
            handle.remove()


def _one_tensor(module: nn.Module, values: tuple[Any, ...]) -> Tensor:
    if len(values) != 1 or not isinstance(values[0], Tensor):
        raise RecipeError(
            f"The network is not plain: {type(module).__name__} sees or gives something other than one tensor."
        )
    return values[0]


def _same_values(a: Any, b: Any) -> bool:
    """Whether two tensors are views of one memory in one order, of all of it: the same values, perhaps in another shape."""
    if not isinstance(a, Tensor) or not isinstance(b, Tensor) or a.numel() != b.numel():
        return False
    if a.is_contiguous() != b.is_contiguous():
        return False
    return a.untyped_storage()._cdata == b.untyped_storage()._cdata


class _Reader:
    """The layers so far, and what was said of the last one."""

    def __init__(self) -> None:
        self.layers: list[Layer] = []
        self.said = -1  # place in ORDER of the last word about the last layer

    def read(self, call: _Call) -> None:
        """A layer, or a word about the last one."""
        if isinstance(call.module, (nn.Flatten, nn.Identity, nn.Sequential)) or _keeps_size(call):
            return
        if isinstance(call.module, (nn.Conv2d, nn.Linear, nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d)):
            self.layers.append(_layer(call))
            self.said = -1
            return
        word, said = _modifier(call.module)
        if word not in ORDER[self.said + 1 :] or not self.layers or not hasattr(self.layers[-1], next(iter(said))):
            raise _no_word(call)
        self.said = ORDER.index(word)
        self.layers[-1] = replace(self.layers[-1], **said)


def _keeps_size(call: _Call) -> bool:
    """An adaptive pooling to the size that the map has already."""
    return (
        isinstance(call.module, nn.AdaptiveAvgPool2d)
        and call.seen.shape == call.given.shape
        and call.seen.shape[-1] > 1
    )


def _layer(call: _Call) -> Layer:
    module = call.module
    if isinstance(module, nn.Linear):
        return Full(module.out_features, activation="identity")
    if isinstance(module, nn.AdaptiveAvgPool2d):
        if tuple(call.given.shape[-2:]) != (1, 1):
            raise _no_word(call)
        return GlobalAverage()
    assert isinstance(module, (nn.Conv2d, nn.MaxPool2d, nn.AvgPool2d))
    kernel, stride, padding = (_one(call, getattr(module, f)) for f in ("kernel_size", "stride", "padding"))
    if isinstance(module, nn.Conv2d):
        if _one(call, module.dilation) != 1:
            raise RecipeError(f"The network has no plan: {call.place} is dilated.")
        return Conv(kernel, module.out_channels, stride, padding, module.groups, activation="identity")
    return Pool("max" if isinstance(module, nn.MaxPool2d) else "avg", kernel, stride, padding, bool(module.ceil_mode))


def _one(call: _Call, value: Any) -> int:
    """A number that holds in both directions."""
    pair = value if isinstance(value, tuple) else (value, value)
    if isinstance(value, str) or pair[0] != pair[1]:
        raise RecipeError(f"The network has no plan: {call.place} is not the same in both directions.")
    return int(pair[0])


def _modifier(module: nn.Module) -> tuple[str, dict[str, Any]]:
    """What a module says of the layer before it: its place in the order, and the field."""
    if isinstance(module, _BatchNorm):
        return "bn", {"norm": "bn"}
    if isinstance(module, LocalResponseNorm):
        return "lrn", {"norm": "lrn"}
    if isinstance(module, nn.Dropout):
        return "dropout", {"dropout": module.p}
    known = {type(activations[name].make()): name for name in activations}
    return ("activation", {"activation": known[type(module)]}) if type(module) in known else ("", {})


def _no_word(call: _Call) -> RecipeError:
    return RecipeError(f"The network has no plan: no word describes {call.place} where it stands.")


def _with_classes(layers: list[Layer]) -> Iterator[Layer]:
    """The last layer with weights gives the raw outputs, whatever their number."""
    last = max((i for i, layer in enumerate(layers) if isinstance(layer, (Conv, Full))), default=-1)
    for i, layer in enumerate(layers):
        if i == last and isinstance(layer, Conv):
            yield replace(layer, channels=None)
        elif i == last and isinstance(layer, Full):
            yield replace(layer, units=None)
        else:
            yield layer
