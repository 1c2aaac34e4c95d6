"""A transform from its name and options in a recipe, with errors that a person can act on."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from pydantic import TypeAdapter, ValidationError

from osler.imaging.transform import SampleTransform, sample_transforms
from osler.structures.errors import RecipeError
from osler.structures.registry import nearest, unknown


def make_transform(name: str, options: Mapping[str, Any], *, size: tuple[int, int]) -> SampleTransform:
    """The per-sample transform of that name; one that needs a size and is given none takes the network's.

    Raises:
        RecipeError: there is no such transform or option (the nearest is offered), or a value is impossible.
    """
    if name not in sample_transforms:
        raise RecipeError(unknown("augmentation", name, sample_transforms))
    kind = sample_transforms[name]
    known = [f.name for f in fields(kind)]
    for option in options:
        if option not in known:
            close = nearest(str(option), known)
            hint = f" Did you mean {close!r}?" if close else ""
            raise RecipeError(f"The augmentation {name!r} has no option {option!r}.{hint} It has: {', '.join(known)}.")
    given = {"size": size, **options} if "size" in known else dict(options)
    try:
        return TypeAdapter(kind).validate_python(given)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise RecipeError(
            f"The augmentation {name!r} cannot take {where}={first['input']!r}: {first['msg'].lower()}."
        ) from None


def make_transforms(
    steps: tuple[Mapping[str, Mapping[str, Any] | None], ...], *, size: tuple[int, int]
) -> list[SampleTransform]:
    """The transforms of a recipe's list, each `{name: {option: value}}`.

    Raises:
        RecipeError: as `make_transform`, or an entry does not name exactly one transform.
    """
    made = []
    for number, step in enumerate(steps, 1):
        if len(step) != 1:
            raise RecipeError(
                f"Entry {number} of data.augment.transforms names {len(step)} augmentations; write one an entry, "
                "as in [{rotate: {degrees: 10}}, {gaussian_blur: {}}]."
            )
        ((name, options),) = step.items()
        made.append(make_transform(name, options or {}, size=size))
    return made
