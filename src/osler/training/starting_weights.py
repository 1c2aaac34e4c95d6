"""What the network starts from: an earlier run, a file, public weights, or nothing; and what follows for its pictures."""

from pathlib import Path
from typing import Any

from torch import nn

from osler.data.source import DataSource
from osler.models.head import find_head
from osler.models.public_weights import PublicStart, is_public, load_public, public_start
from osler.models.recipe import ModelSection, Statistics
from osler.models.registry import list_detectors, list_models, model_options
from osler.models.weights_table import PublishedWeights
from osler.structures.errors import DataError, OslerError
from osler.structures.state_keys import check_keys
from osler.training.artefact import load_artefact
from osler.training.recipe import ResolvedRecipe

# Pixels up to which a stem that shrinks by four would leave too little to see (He et al. 2015, section 4.2): networks for
# photographs get another, for which nobody publishes weights.
SMALL_PICTURE = 64


def choose_start(resolved: ResolvedRecipe, source: DataSource) -> ResolvedRecipe:
    """Settles `model.weights`, and prepares pictures as those were on which the weights were trained.

    `auto` takes public ImageNet weights where the network has some that are in the cache or can be downloaded.

    Raises:
        OslerError: the weights that the person named cannot be had.
    """
    weights = resolved.recipe.model.weights
    if weights == "auto":
        resolved = _choose_weights(resolved, source)
        weights = resolved.recipe.model.weights
    if weights == "none":
        return _as_backbone_was_trained(resolved)
    if is_public(weights):
        start = public_start(weights, resolved.recipe.model.name, resolved.recipe.model.options)
        return _as_published(resolved, start)
    return _as_trained(resolved, weights)


def load_start(model: nn.Module, section: ModelSection) -> list[str]:
    """Fills the network from a run, a file that Osler wrote, or public weights; a head for other outputs starts anew.

    Returns what to tell the person: what could not be taken over.

    Raises:
        OslerError: the weights cannot be had or do not fit; nothing is loaded then.
    """
    weights = section.weights
    if weights == "none":
        return []
    if is_public(weights):
        return [
            _told(weights, note) for note in load_public(model, public_start(weights, section.name, section.options))
        ]
    path = weights_path(weights)
    found = load_artefact(path).model.state_dict()
    head, layer = find_head(model)
    fits = found[f"{head}.weight"].shape == layer.weight.shape if f"{head}.weight" in found else True
    if not fits:
        found |= {k: v for k, v in model.state_dict().items() if k.startswith(f"{head}.")}
    check_keys(model.state_dict(), found, str(path))
    model.load_state_dict(found)
    return [] if fits else [_told(weights, f"the last layer, {head}, is new, for it has other outputs")]


def _told(weights: str, note: str) -> str:
    return f"All of {weights} was taken over, but {note}."


def weights_path(weights: str) -> Path:
    """The file of weights that a recipe names: itself, or the best of a run's folder."""
    path = Path(weights)
    return path / "checkpoints" / "best.safetensors" if path.is_dir() else path


def _choose_weights(resolved: ResolvedRecipe, source: DataSource) -> ResolvedRecipe:
    found, reason = _public_weights_for(resolved, source)
    return resolved.choose("model.weights", found, reason)


def _public_weights_for(resolved: ResolvedRecipe, source: DataSource) -> tuple[str, str]:
    """The public start that suits a recipe that leaves it open, or none, and why."""
    section = resolved.recipe.model
    side = min(source.typical_size) if section.size == "auto" else section.size
    if section.initialisation != "auto":
        return "none", f"from nothing: model.initialisation={section.initialisation} says how"
    if section.name in list_detectors():
        return "none", "from nothing: a detector's weights are taken where they are named, as its backbone's are"
    if section.name not in list_models():
        return "none", "your own network starts from nothing"
    if (side if isinstance(side, int) else min(side)) <= SMALL_PICTURE or section.options.get("stem") == "small":
        return "none", "from nothing: public weights are for photographs, these pictures are small"
    try:
        start = public_start("torchvision", section.name, section.options)
        known = start.published
    except OslerError:
        return "none", f"from nothing: no public weights are known for {section.name} in this form"
    if known is None:
        return "none", f"from nothing: no public weights are known for {section.name}"
    try:
        start.file()
    except DataError as error:
        return "none", f"from nothing: {error}"
    return "torchvision", f"ImageNet's, {known.top1:.1f} % top-1 there ({known.file.name}, {known.licence})"


def _as_published(resolved: ResolvedRecipe, start: PublicStart) -> ResolvedRecipe:
    """The form, and for the library's own file the preprocessing, that public weights need."""
    choices: dict[str, Any] = {}
    form = dict(start.public.options)
    if "stem" in model_options(start.public.network):
        form = {"stem": "imagenet", **form}
    choices["options"] = {**form, **resolved.recipe.model.options}
    if start.published:
        choices |= _published_preprocessing(start.published)
    else:
        choices["standardise"] = "imagenet"
    return _where_open(resolved, choices, f"as {start.public.library}'s weights were trained")


def _as_backbone_was_trained(resolved: ResolvedRecipe) -> ResolvedRecipe:
    """Statistics of the pictures on which a detector's backbone was trained, where it has public weights."""
    options = resolved.recipe.model.options
    backbone = options.get("backbone")
    choice = backbone if isinstance(backbone, dict) else {}
    weights = str(choice.get("weights") or options.get("vgg_weights") or "none")
    if not is_public(weights):
        return resolved
    known = public_start(weights, choice["name"], choice.get("options")).published if choice.get("name") else None
    choices = {"standardise": known.standardise if known else "imagenet"}
    return _where_open(resolved, choices, "as the backbone's weights were trained")


def _published_preprocessing(known: PublishedWeights) -> dict[str, Any]:
    return {
        "size": (known.crop, known.crop),
        "fit": "crop",
        "crop_fraction": round(known.crop / known.resize, 4),
        "standardise": known.standardise,
    }


def _as_trained(resolved: ResolvedRecipe, weights: str) -> ResolvedRecipe:
    """Network and preprocessing of one that Osler trained."""
    found = load_artefact(weights_path(weights))
    theirs = found.preprocessing
    choices = {
        "name": found.architecture["name"],
        "options": found.architecture["options"],
        "size": theirs.size,
        "fit": theirs.fit,
        "crop_fraction": theirs.crop_fraction,
        "channels": theirs.channels,
        "standardise": Statistics(mean=theirs.mean, std=theirs.std),
    }
    return _where_open(resolved, choices, "as the weights were trained")


def _where_open(resolved: ResolvedRecipe, choices: dict[str, Any], reason: str) -> ResolvedRecipe:
    """Sets what the person left open. Options are merged, the person's on top."""
    for key, value in choices.items():
        merged = key == "options" and value != resolved.value("model.options")
        if value is not None and (merged or resolved.value(f"model.{key}") in ("auto", None)):
            resolved = resolved.choose(f"model.{key}", value, reason, who="weights")
    return resolved
