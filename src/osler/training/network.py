"""The network of a recipe: made by name or taken from the person, checked against pictures and task, filled with weights."""

from typing import Any

import torch
from torch import Tensor, nn

from osler.data.source import DataSource
from osler.models.public_weights import is_public
from osler.models.registry import create_model, list_detectors, list_models
from osler.structures.errors import RecipeError
from osler.structures.preprocessing import Preprocessing
from osler.tasks.building import BY_KIND
from osler.tasks.task import Task
from osler.training.recipe import ResolvedRecipe
from osler.training.starting_weights import SMALL_PICTURE


def choose_network(resolved: ResolvedRecipe, source: DataSource) -> ResolvedRecipe:
    """A network for the size of the pictures, unless the person or the weights say which."""
    section = resolved.recipe.model
    if section.name != "auto" or not (section.weights in ("auto", "none") or is_public(section.weights)):
        return resolved
    if source.kind == "objects":
        return resolved.choose("model.name", "faster_rcnn_light", "finds small and large objects, and trains on a CPU")
    side = min(source.typical_size) if section.size == "auto" else section.size
    side = side if isinstance(side, int) else min(side)
    if side <= SMALL_PICTURE:
        return resolved.choose("model.name", "convnet", f"small and quick, made for pictures of {side} pixels")
    return resolved.choose("model.name", "resnet18", "the field's usual start for photographs")


def make_model(
    resolved: ResolvedRecipe, module: nn.Module | None, task: Task, preprocessing: Preprocessing
) -> tuple[ResolvedRecipe, nn.Module, dict[str, Any]]:
    """The network, and the arguments that make it again. Its weights are random."""
    if module is not None:
        kind = type(module).__name__
        resolved = resolved.choose(
            "model.name", f"{type(module).__module__}:{kind}", "a module passed in Python", who="person"
        )
        _check_outputs(module, task, preprocessing)
        return resolved, module, {"name": None, "class": kind}
    section = resolved.recipe.model
    _refuse_other_kind(section.name, task)
    architecture = {
        "name": section.name,
        "num_classes": task.outputs,
        "in_channels": preprocessing.channels,
        "options": dict(section.options),
    }
    model = create_model(section.name, num_classes=task.outputs, in_channels=preprocessing.channels, **section.options)
    smallest = getattr(model, "minimum_size", 1)
    if min(preprocessing.size) < smallest:
        height, width = preprocessing.size
        raise RecipeError(
            f"{section.name} cannot see pictures of {height}x{width}: it needs {smallest}x{smallest} or larger (model.size)."
        )
    _check_outputs(model, task, preprocessing)
    return resolved, model, architecture


def _refuse_other_kind(name: str, task: Task) -> None:
    """A network that classifies is a detector's backbone, and no detector; nor does a detector classify.

    Raises:
        RecipeError: the network is of the other kind.
    """
    if task.name == "detection" and name in list_models():
        raise RecipeError(
            f"{name} gives an answer for the whole picture, and this data has objects. As a detector's backbone: "
            f"model=faster_rcnn_light model.options.backbone={name}. Detectors: {', '.join(list_detectors())}."
        )
    if task.name in BY_KIND.values() and task.name != "detection" and name in list_detectors():
        raise RecipeError(
            f"{name} finds objects, and this data has none: {task.name} needs a network such as resnet18 (osler models)."
        )


def _check_outputs(model: nn.Module, task: Task, preprocessing: Preprocessing) -> None:
    """One black picture through the network: does it take it, and put out what the task needs?

    A network that wants more than pictures is left to its task.
    """
    was_training, parameter = model.training, next(model.parameters(), torch.empty(0))
    picture = torch.zeros(2, preprocessing.channels, *preprocessing.size, device=parameter.device)
    try:
        with torch.inference_mode():
            output = model.eval()(picture)
    except TypeError:
        return
    except RuntimeError as error:
        shape = f"{preprocessing.channels}x{preprocessing.size[0]}x{preprocessing.size[1]}"
        raise RecipeError(
            f"{type(model).__name__} does not take pictures of {shape}: {str(error).splitlines()[0]}"
        ) from None
    finally:
        model.train(was_training)
    if isinstance(output, Tensor) and task.outputs and (output.ndim != 2 or output.shape[1] != task.outputs):
        raise RecipeError(
            f"{type(model).__name__} puts out {list(output.shape[1:])} numbers for a picture; "
            f"{task.name} on this data needs [{task.outputs}]."
        )
