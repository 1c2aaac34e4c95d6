"""XML as annotations need it: elements, attributes and text, and nothing that a document can do to its reader.

A document type declaration can define entities that expand to gigabytes or fetch files, and thousands of nested
elements exhaust a parser's stack. Annotations need neither, so both are refused as soon as the parser meets them. Expat
is told not to go on, so what is refused is not expanded first.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn
from xml.parsers import expat

from osler.structures.errors import DataError

DEEPEST = 32
LARGEST = 64 * 2**20  # bytes


@dataclass(slots=True)
class Element:
    """An element: its name, its text, and the elements in it."""

    name: str
    line: int
    text: str = ""
    inner: list["Element"] = field(default_factory=list)

    def all(self, name: str) -> list["Element"]:
        """The elements of that name directly inside."""
        return [e for e in self.inner if e.name == name]

    def find(self, *path: str) -> "Element | None":
        """The first element along a path of names; None where there is none."""
        found: Element | None = self
        for name in path:
            found = next(iter(found.all(name)), None) if found is not None else None
        return found

    def value(self, *path: str) -> str | None:
        """The text of the first element along a path, without blanks around it; None where there is none."""
        found = self.find(*path)
        return None if found is None else found.text.strip()


class _RefusedError(Exception):
    """Carries a sentence out of expat's callbacks."""


def read_xml(path: Path) -> Element:
    """The outermost element of an XML file.

    Raises:
        DataError: the file cannot be read, is no XML, or has a document type, entities or huge depth.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}.") from error
    if len(content) > LARGEST:
        raise DataError(f"{path} has {len(content):,} bytes; annotations of one picture have no more than {LARGEST:,}.")
    return parse_xml(content, str(path))


def parse_xml(content: bytes, name: str) -> Element:
    """The outermost element of an XML document, called `name` in errors.

    Raises:
        DataError: as `read_xml`.
    """
    outer = Element("", 0)
    stack = [outer]
    parser = expat.ParserCreate()
    parser.buffer_text = True

    def start(tag: str, attributes: dict[str, str]) -> None:
        if len(stack) > DEEPEST:
            raise _RefusedError(f"elements are nested more than {DEEPEST} deep")
        element = Element(tag, parser.CurrentLineNumber)
        stack[-1].inner.append(element)
        stack.append(element)

    def end(tag: str) -> None:
        stack.pop()

    def text(data: str) -> None:
        stack[-1].text += data

    def refuse(*_: object) -> NoReturn:
        raise _RefusedError("it has a document type declaration, which may define entities; annotations need none")

    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = start, end, text
    parser.StartDoctypeDeclHandler = parser.EntityDeclHandler = parser.ExternalEntityRefHandler = refuse
    try:
        parser.Parse(content, True)
    except _RefusedError as error:
        raise DataError(f"{name}, line {parser.CurrentLineNumber}: {error}. It is not read.") from None
    except (expat.ExpatError, ValueError, LookupError) as error:
        raise DataError(f"{name} is no XML ({error}).") from error
    return outer.inner[0]
