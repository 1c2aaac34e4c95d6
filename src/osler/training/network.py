"""The network of a recipe: made by name or taken from the person, checked against pictures and task, filled with weights."""

from typing import Any

import torch
from torch import Tensor, nn

from osler.models.head import find_head
from osler.models.registry import create_model
from osler.structures.errors import RecipeError
from osler.structures.preprocessing import Preprocessing
from osler.tasks.task import Task
from osler.training.artefact import load_artefact
from osler.training.checkpoint import check_keys
from osler.training.input_choice import weights_path
from osler.training.recipe import ResolvedRecipe


def make_model(
    resolved: ResolvedRecipe, module: nn.Module | None, task: Task, preprocessing: Preprocessing
) -> tuple[ResolvedRecipe, nn.Module, dict[str, Any]]:
    """The network, and the arguments that make it again."""
    if module is not None:
        kind = type(module).__name__
        resolved = resolved.choose(
            "model.name", f"{type(module).__module__}:{kind}", "a module passed in Python", who="person"
        )
        _check_outputs(module, task, preprocessing)
        return resolved, module, {"name": None, "class": kind}
    if resolved.recipe.model.name == "auto":
        resolved = resolved.choose("model.name", *_choose_model(preprocessing))
    section = resolved.recipe.model
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
    if section.weights != "none":
        _load_weights(model, section.weights)
    return resolved, model, architecture


def _choose_model(preprocessing: Preprocessing) -> tuple[str, str]:
    side = min(preprocessing.size)
    if side <= 64:
        return "convnet", f"small and quick, made for pictures of {side} pixels"
    return "resnet18", "the field's usual start for photographs"


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


def _load_weights(model: nn.Module, weights: str) -> None:
    """Fills the network from a run or a file that Osler wrote; a head for other classes starts anew."""
    path = weights_path(weights)
    found = load_artefact(path).model.state_dict()
    head, layer = find_head(model)
    fits = found[f"{head}.weight"].shape == layer.weight.shape if f"{head}.weight" in found else True
    if not fits:
        found |= {k: v for k, v in model.state_dict().items() if k.startswith(f"{head}.")}
    check_keys(model.state_dict(), found, str(path))
    model.load_state_dict(found)
