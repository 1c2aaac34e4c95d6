"""JSON of a known shape, with sentences where it has another."""

import json
import math
from pathlib import Path
from typing import Any

from osler.data.plain_text import shown
from osler.structures.errors import DataError

YES = ("1", "true", "yes")
NO = ("", "0", "false", "no")


def read_json(path: Path) -> Any:
    """What a JSON file holds.

    Raises:
        DataError: it cannot be read, is no JSON in UTF-8, or is nested too deeply.
    """
    try:
        with open(path, encoding="utf-8-sig") as file:
            return json.load(file)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}.") from error
    except RecursionError:
        raise DataError(f"{path} is nested too deeply for annotations. It is not read.") from None
    except ValueError as error:  # JSONDecodeError and UnicodeDecodeError are such
        raise DataError(f"{path} is no JSON ({error}).") from error


def records_of(content: Any, key: str, path: Path) -> list[dict[str, Any]]:
    """The list of objects under a key.

    Raises:
        DataError: the content is no object, lacks the key, or what is there is no list of objects.
    """
    if not isinstance(content, dict):
        raise DataError(f"{path} holds {_kind(content)}; COCO's form is an object with {LISTS}.")
    if key not in content:
        has = ", ".join(map(shown, list(content)[:6])) or "nothing"
        raise DataError(f"{path} has no list {key!r} (it has {has}); COCO's form is an object with {LISTS}.")
    found = content[key]
    if not isinstance(found, list):
        raise DataError(f"{path}: {key!r} is {_kind(found)}; a list of objects is expected.")
    for number, record in enumerate(found):
        if not isinstance(record, dict):
            raise DataError(f"{path}: entry {number} of {key!r} is {_kind(record)}; an object is expected.")
    return found


LISTS = "the lists images, annotations and categories"


def _kind(value: Any) -> str:
    words = {
        dict: "an object",
        list: "a list",
        str: "a text",
        bool: "true or false",
        int: "a number",
        float: "a number",
    }
    return words.get(type(value), "null")


def number(value: Any) -> float:
    """A JSON number as float, infinite where it is too large for one; NaN for anything else."""
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return math.nan
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def mark(value: Any) -> bool | None:
    """What a mark says that is 0 or 1, true or false, or such a word; None where it says something else."""
    if value is None or (isinstance(value, (int, float)) and value in (0, 1)):
        return bool(value)
    word = value.strip().lower() if isinstance(value, str) else "?"
    return word in YES if word in YES + NO else None
