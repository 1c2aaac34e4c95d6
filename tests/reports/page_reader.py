"""Reads a report as a browser's parser would: elements, headings, and everything that could be a request."""

import re
from html.parser import HTMLParser

ADDRESSES = {"src", "href", "xlink:href", "srcset", "poster", "data", "action", "formaction", "background", "ping"}
VOID = {"meta", "link", "img", "br", "wbr", "col", "path", "use", "input"}


class PageReader(HTMLParser):
    """Collects what the tests ask about. `unbalanced` names tags that were closed out of order or left open."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.unbalanced: list[str] = []
        self.texts: list[tuple[str, str]] = []
        self.feed(page)
        self.close()
        self.unbalanced += self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID:
            return
        if not self.open or self.open.pop() != tag:
            self.unbalanced.append(tag)

    def handle_data(self, data: str) -> None:
        self.texts.append((self.open[-1] if self.open else "", data))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        """Attributes of every element of that tag."""
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def text(self) -> str:
        """What a reader reads: no styles."""
        return " ".join(t for tag, t in self.texts if tag != "style")

    @property
    def addresses(self) -> list[str]:
        """Everything that a browser could fetch or follow, in attributes and in styles."""
        found = [v or "" for _, a in self.elements for k, v in a.items() if k in ADDRESSES]
        styles = [
            v or ""
            for _, a in self.elements
            for k, v in a.items()
            if k in {"style", "clip-path", "fill", "filter", "mask"}
        ]
        styles += [t for tag, t in self.texts if tag == "style"]
        for style in styles:
            found += re.findall(r"url\(\s*['\"]?([^'\")]*)", style)
            found += re.findall(r"@import\s+['\"]?([^'\";]*)", style)
        return found
