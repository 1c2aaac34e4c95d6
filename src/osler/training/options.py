"""Free-form options of a recipe (`optimizer_options`, `schedule_options`) read into the section that declares them."""

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import ValidationError

from osler.structures.errors import RecipeError
from osler.structures.registry import nearest
from osler.structures.section import Section

Options = TypeVar("Options", bound=Section)


def read_options(declared: type[Options], given: Mapping[str, Any], *, key: str, owner: str) -> Options:
    """The options `given` under a recipe's `key` for `owner`, checked against their declaration.

    Args:
        declared: the section that lists what is allowed.
        given: option names and values, as written by a person.
        key: dotted key of the recipe, for the message.
        owner: what the options belong to, for the message ("the optimiser adam").

    Raises:
        RecipeError: an option is unknown (the nearest and all allowed are named) or its value is impossible.
    """
    allowed = sorted(declared.model_fields)
    listing = f"Allowed: {', '.join(allowed)}." if allowed else "It has no options."
    for name in given:
        if name not in declared.model_fields:
            close = nearest(name, allowed)
            hint = f" Did you mean {close!r}?" if close else ""
            raise RecipeError(f"{key}: {owner} has no option {name!r}.{hint} {listing}")
    try:
        return declared.model_validate(dict(given))
    except ValidationError as error:
        raise RecipeError("\n".join(_sentence(e, declared, key, owner) for e in error.errors())) from None


def _sentence(error: Any, declared: type[Section], key: str, owner: str) -> str:
    """One validation error: which option, what was given, what is allowed."""
    name = str(error["loc"][0]) if error["loc"] else ""
    expected = error["msg"][0].lower() + error["msg"][1:]
    if not name:
        return f"{key} of {owner}: {expected.removeprefix('value error, ')}."
    field = declared.model_fields[name]
    return f"{key}.{name} = {error['input']!r} is not possible for {owner}: {expected}. ({name}: {field.description})"
