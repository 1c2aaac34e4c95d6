"""How pictures enter the network: size, channels, fit and statistics, chosen where the person left them open."""

from collections.abc import Sequence
from typing import Literal, TypeVar

from osler.data.source import DataSource
from osler.data.statistics import channel_statistics
from osler.models.recipe import ModelSection, Statistics
from osler.models.registry import input_size, list_detectors, list_models, minimum_size, model_options
from osler.structures.errors import RecipeError
from osler.structures.preprocessing import Preprocessing
from osler.training.recipe import ResolvedRecipe
from osler.training.starting_weights import SMALL_PICTURE

Number = TypeVar("Number", bound=float)

NAMED_STATISTICS = {
    "imagenet": Statistics(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)),  # of ILSVRC-2012's training pictures
    "half": Statistics(mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5)),
}


def choose_preprocessing(resolved: ResolvedRecipe, source: DataSource) -> ResolvedRecipe:
    """Size, channels, fit and statistics of the pictures."""
    section = resolved.recipe.model
    if section.mirror and source.kind == "objects":
        raise RecipeError(
            "model.mirror answers with the mean over a picture and its mirror image, and the objects of two pictures have no mean."
            " Leave it out for a detector."
        )
    if section.channels == "auto":
        resolved = resolved.choose("model.channels", source.channels, "as the pictures have")
    resolved = _choose_size(resolved, source)
    if section.fit == "auto":
        fit = (
            ("stretch", "all pictures have one shape")
            if source.uniform
            else ("crop", "keeps shapes true; what is outside the centre is cut")
        )
        if source.kind == "numbers" and not source.uniform:
            fit = ("pad", "numbers may depend on the whole picture")
        if source.kind == "objects":
            fit = ("pad", "objects keep their shapes, and none is cut off")
        resolved = resolved.choose("model.fit", *fit)
    if section.standardise in ("auto", "measured"):
        mean, std = channel_statistics(source.train, settled(resolved.recipe.model.channels), seed=resolved.recipe.seed)
        measured = Statistics(mean=_rounded(mean), std=_rounded(std))
        who = resolved.origin("model.standardise").who
        resolved = resolved.choose(
            "model.standardise",
            measured,
            "measured on the training pictures",
            who="person" if who == "person" else "automatic",
        )
    return resolved


def settled(value: Number | Literal["auto"]) -> Number:
    """A value that was left to Osler, after the choice was made."""
    assert value != "auto", "every automatic value is chosen before it is used"
    return value


def _rounded(values: Sequence[float]) -> tuple[float, ...]:
    return tuple(round(float(v), 4) for v in values)


def _choose_size(resolved: ResolvedRecipe, source: DataSource) -> ResolvedRecipe:
    """The size of the pictures, the stem for it, and then the least size that the network with this stem can see.

    A size that was settled before had its stem settled with it: a recipe that is read again makes the same network.
    """
    given = resolved.recipe.model.size
    if given != "auto":
        if resolved.origin("model.size").who == "person":
            resolved = _choose_small_stem(resolved, (given, given) if isinstance(given, int) else given)
        return resolved
    section = resolved.recipe.model
    if source.kind == "objects" and section.name in list_detectors():
        side = input_size(section.name, **section.options)
        return resolved.choose("model.size", (side, side), f"the size for which {section.name} is made")
    size, reason = _wanted_size(source)
    resolved = _choose_small_stem(resolved, size)
    section = resolved.recipe.model
    least = minimum_size(section.name, **section.options) if section.name in list_models() else 1
    if min(size) < least:
        height, width = source.typical_size
        size, reason = (max(height, least), max(width, least)), f"{section.name} sees no smaller ones"
    return resolved.choose("model.size", size, reason)


def _choose_small_stem(resolved: ResolvedRecipe, size: tuple[int, int]) -> ResolvedRecipe:
    """A network with a stem for small pictures gets it for small pictures, unless the person or the weights have one."""
    section = resolved.recipe.model
    known = section.name in list_models() and "stem" in model_options(section.name)
    if not known or "stem" in section.options or max(size) > SMALL_PICTURE or section.weights != "none":
        return resolved
    return resolved.choose(
        "model.options", {**section.options, "stem": "small"}, f"pictures of {max(size)} pixels are small"
    )


def _wanted_size(source: DataSource) -> tuple[tuple[int, int], str]:
    """The pictures' own size when they are small; 224 x 224 for photographs."""
    height, width = source.typical_size
    if source.uniform and max(height, width) <= 256:
        return (height, width), "the size of all pictures"
    side = min(224, max(32, 32 * round(min(height, width) / 32)))
    return (side, side), f"pictures are about {height}x{width}"


def preprocessing_of(section: ModelSection, names: Sequence[str]) -> Preprocessing:
    """The Preprocessing that a resolved `model` section asks for.

    Raises:
        RecipeError: the statistics are for another number of channels than the pictures have.
    """
    channels, size = section.channels, section.size
    assert channels != "auto", "chosen before"
    assert size != "auto", "chosen before"
    given = section.standardise
    statistics = given if isinstance(given, Statistics) else NAMED_STATISTICS[given]
    mean, std = statistics.mean, statistics.std
    if channels == 1 and len(mean) == 3:
        mean, std = (sum(mean) / 3,), (sum(std) / 3,)
    if len(mean) != channels:
        raise RecipeError(f"model.standardise has {len(mean)} numbers, but pictures have {channels} channels.")
    sides = (size, size) if isinstance(size, int) else size
    return Preprocessing(
        sides,
        channels,
        section.fit,  # type: ignore[arg-type]
        crop_fraction=1.0 if section.crop_fraction is None else section.crop_fraction,
        mean=mean,
        std=std,
        mirror=section.mirror,
        names=tuple(names),
    )
