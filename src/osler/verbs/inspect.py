"""`osler inspect`: what each layer of a network gives, sees and costs."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from osler.anatomy.inspecting import inspect_network
from osler.anatomy.layer import Anatomy
from osler.anatomy.stand_in import unwrapped
from osler.models.registry import create_model, list_models
from osler.structures.errors import OslerError, RecipeError
from osler.structures.person_code import is_file_spec
from osler.verbs.loading import load_trained
from osler.verbs.run import Run

SIDE = 224  # of the picture, for a network that does not say


def inspect(
    model: str | Path | nn.Module | Run,
    input_size: int | Sequence[int] | None = None,
    *,
    inputs: Any = None,
    num_classes: int = 1000,
    in_channels: int = 3,
    **options: Any,
) -> Anatomy:
    """Every layer's output size, receptive field, parameters, multiply-adds and memory, for one picture.

    The network runs by its shapes alone: nothing of it is computed or changed, and one of any size takes no memory.

    >>> print(inspect("resnet18"))                                     # doctest: +SKIP
    >>> inspect(my_net, (3, 64, 64)).layer("features.4").sees.size     # doctest: +SKIP

    Args:
        model: a network, a registered name, a person's own as `my_net.py:Net`, a run's folder or its weights.
        input_size: side, height and width, or channels, height and width of the picture; None: that for which the
            network was made (224 where it does not say).
        inputs: in place of a picture what else the network is called with: a tensor, a tuple, or a mapping by names.
        num_classes: outputs of a network that is given by its name.
        in_channels: channels of the picture of a network that is given by its name.
        options: of a network that is given by its name.

    Raises:
        RecipeError: the network does not take such an input; the message names the layer.
        UnknownNameError: no network has that name.
        NoRunError: there is no run in that folder.
    """
    if isinstance(model, Run):
        model = model.path
    if isinstance(model, nn.Module):
        if options:
            raise RecipeError(
                f"Options ({', '.join(options)}) are for a network given by its name; this one is made already."
            )
        return inspect_network(model, _picture(model, input_size, _channels(model, in_channels)), inputs=inputs)
    if _is_run(model):
        artefact = load_trained(model)
        seen = artefact.preprocessing
        size = _picture(artefact.model, input_size or seen.size, seen.channels)
        return inspect_network(
            artefact.model, size, inputs=inputs, name=str(artefact.architecture.get("name") or model)
        )

    def make() -> nn.Module:
        return create_model(str(model), num_classes=num_classes, in_channels=in_channels, **options)

    made = _without_numbers(make, is_file_spec(str(model)))
    size = _picture(made, input_size, in_channels)
    return inspect_network(made, size, inputs=inputs, name=str(model).rpartition(":")[2], with_numbers=make)


def _is_run(model: str | Path) -> bool:
    """Whether what was given is a run's folder or a weights file, and no name."""
    path = Path(model)
    if str(model) in list_models():
        return False
    return not is_file_spec(str(model)) and (path.is_dir() or path.suffix == ".safetensors" or len(path.parts) > 1)


def _without_numbers(make: Any, person: bool) -> nn.Module:
    """The network on the meta device; with numbers where its construction needs them."""
    made: nn.Module
    try:
        with torch.device("meta"):
            made = make()
    except Exception as error:  # perhaps of a constructor that computes with numbers: what else is wrong comes up again
        if isinstance(error, OslerError) and not person:
            raise
        made = make()
    return made


def _picture(model: nn.Module, given: int | Sequence[int] | None, channels: int) -> tuple[int, ...]:
    """Channels, height and width."""
    if given is None:
        given = int(getattr(unwrapped(model), "input_size", SIDE))
    sizes = (given, given) if isinstance(given, int) else tuple(given)
    if len(sizes) == 2:
        sizes = (channels, *sizes)
    if any(not isinstance(n, int) or n < 1 for n in sizes):
        raise RecipeError(f"The sizes of an input are whole numbers of at least 1; given: {list(sizes)}.")
    return sizes


def _channels(model: nn.Module, usual: int) -> int:
    """Of the pictures that the first convolution takes."""
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            return module.in_channels
    return usual
