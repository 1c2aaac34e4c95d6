"""The classes of a YOLO set: as its YAML or a list names them, or by their numbers where nothing does."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from osler.data.plain_text import is_plain, read_text, shown
from osler.structures.errors import DataError

LONGEST_NAME = 200  # characters
WIDEST_GAP = 100  # class numbers that nobody uses, beyond which the next is a slip and no class


def names_of_yaml(content: dict[Any, Any], path: Path) -> tuple[str, ...]:
    """The names in a YAML file, by number.

    Raises:
        DataError: there are none, they are numbered with gaps, one is no short text, or `nc` says another number.
    """
    names = content.get("names")
    if isinstance(names, dict):
        if set(names) != set(range(len(names))):
            keys = shown(list(names)[:8])
            raise DataError(f"{path}: names are numbered {keys}; 0, 1, 2, ... without a gap are expected.")
        names = [names[i] for i in range(len(names))]
    if not isinstance(names, list) or not names:
        raise DataError(f"{path} has no list of classes (names: [cat, dog]).")
    count = content.get("nc", len(names))
    if count != len(names):
        raise DataError(f"{path} says nc: {shown(count)}, and names {len(names)} classes.")
    found = tuple(_name(name, place, path) for place, name in enumerate(names))
    if len(set(found)) < len(found):
        raise DataError(f"{path} names a class twice: {shown(', '.join(found))}.")
    return found


def _name(name: Any, place: int, path: Path) -> str:
    if isinstance(name, bool) or not isinstance(name, (str, int, float)):
        hint = ": YAML reads yes, no, on and off so, without quotes around them" if isinstance(name, bool) else ""
        raise DataError(f"{path}: name {place} is {shown(name)}; a text is expected{hint}.")
    text = str(name).strip()
    if not text or len(text) > LONGEST_NAME or not is_plain(text):
        what = "empty" if not text else "too long" if len(text) > LONGEST_NAME else "not to be shown"
        raise DataError(f"{path}: name {place} is {what} ({shown(text)}).")
    return text


def names_of_list(path: Path) -> tuple[str, ...]:
    """The names in a text with a class on each line.

    Raises:
        DataError: it is no text in UTF-8, or a name is too long or cannot be shown.
    """
    lines = [line.strip() for line in read_text(path).splitlines()]
    return tuple(dict.fromkeys(_name(line, place, path) for place, line in enumerate(filter(None, lines))))


def numbered_names(labels: Path) -> tuple[str, ...]:
    """Numbers as names, from 0 to the highest that is used. One far above all others is no class but a slip."""
    used = sorted({number for path in labels.rglob("*.txt") for number in _numbers(path)})
    highest = -1
    for number in used:
        if number - highest > WIDEST_GAP:
            break
        highest = number
    return tuple(str(i) for i in range(highest + 1))


def _numbers(path: Path) -> Iterator[int]:
    for line in path.read_text("utf-8-sig", errors="replace").splitlines():
        word = (line.split() or ["-"])[0]
        if word.isascii() and word.isdigit() and len(word) < 5:
            yield int(word)
