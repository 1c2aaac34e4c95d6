"""HTML that is safe by construction: what is not markup already is escaped."""

from html import escape


class Html(str):
    """Markup. Any other string is text, and escaped when it enters markup."""

    __slots__ = ()


def element(tag: str, *children: object, **attributes: object) -> Html:
    """An element: children that are `Html` enter as they are, all others as escaped text; None is left out.

    Attributes: `class_` becomes class, `aria_label` becomes aria-label; True is an attribute without value; None and
    False are left out.

    >>> element("p", "a < b", class_="lede")
    '<p class="lede">a &lt; b</p>'
    """
    opening = tag + "".join(attribute(k, v) for k, v in attributes.items())
    if tag in {"img", "br", "col", "meta"}:
        return Html(f"<{opening}>")
    return Html(f"<{opening}>{join(*children)}</{tag}>")


def attribute(name: str, value: object) -> str:
    """One attribute, escaped, with the space before it."""
    name = name.rstrip("_").replace("_", "-")
    if value is None or value is False:
        return ""
    return f" {name}" if value is True else f' {name}="{escape(str(value))}"'


def join(*children: object) -> Html:
    """Children one after the other, text escaped, None left out."""
    return Html("".join(c if isinstance(c, Html) else escape(str(c)) for c in children if c is not None))


def table(caption: str, heads: list[str], rows: list[list[object]], *, class_: str = "") -> Html:
    """A table with a caption; the first cell of each row is its head. Wide ones scroll inside their frame."""
    head = element("tr", *(element("th", h, scope="col") for h in heads))
    body = (element("tr", element("th", r[0], scope="row"), *(element("td", c) for c in r[1:])) for r in rows)
    whole = element(
        "table", element("caption", caption), element("thead", head), element("tbody", *body), class_=class_ or None
    )
    return element("div", whole, class_="scroll", tabindex=0, role="region", aria_label=caption)


def definitions(pairs: list[tuple[str, object]], *, class_: str) -> Html:
    """Names and their values as a description list."""
    rows = (element("div", element("dt", name), element("dd", value)) for name, value in pairs)
    return element("dl", *rows, class_=class_)
