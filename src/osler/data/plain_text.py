"""Text that came from outside: read as UTF-8 or refused, and shown without what could change a terminal."""

import unicodedata
from pathlib import Path

from osler.structures.errors import DataError

LONGEST = 300  # characters of a foreign text that are shown
UNSHOWABLE = ("Cc", "Cs")  # Unicode's categories: control characters, halves of surrogate pairs
NONCHARACTERS = "\ufffe\uffff"  # which XML forbids


def read_text(path: Path) -> str:
    """The text of a file.

    Raises:
        DataError: it cannot be read, or is not in UTF-8.
    """
    try:
        return path.read_text("utf-8-sig")
    except OSError as error:
        raise DataError(f"{shown(path)} cannot be read: {error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise DataError(f"{shown(path)}, line {line}: this is no text in UTF-8 ({error.reason}).") from error


def is_plain(text: str) -> bool:
    """Whether a text can be written to every kind of file, and shown."""
    return text.isprintable() or all(map(_plain, text))


def _plain(character: str) -> bool:
    return unicodedata.category(character) not in UNSHOWABLE and character not in NONCHARACTERS


def shown(value: object, longest: int = LONGEST) -> str:
    """A foreign text or value for a message: control characters as escapes, the middle of a long one left out."""
    text = str(value)
    if len(text) > longest:
        text = f"{text[: longest * 2 // 3]}...{text[-longest // 3 :]}"
    return text if is_plain(text) else "".join(c if _plain(c) else c.encode("unicode_escape").decode() for c in text)
