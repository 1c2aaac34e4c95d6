"""Formulas as one line of text for a terminal: x⁽²⁾[n,i], ∂L/∂W, Σ{n} a·b."""

from osler.anatomy.backprop.formula import Node, parse

ABOVE = str.maketrans("0123456789()+−-nT⊤", "⁰¹²³⁴⁵⁶⁷⁸⁹⁽⁾⁺⁻⁻ⁿᵀᵀ")
RAISED = set("0123456789()+−-nT⊤")
HAT = "\N{COMBINING CIRCUMFLEX ACCENT}"
SPACED = set("=+−·⊙×∈≤≥≠≈←→/<>±")
SINGLE = ("letter", "number", "word", "hat", "sqrt")


def plain_formula(latex: str) -> str:
    """The formula as a person would type it."""
    return " ".join(_said(parse(latex)).split())


def _said(node: Node) -> str:
    match node.kind:
        case "row":
            return _row(node)
        case "sign":
            return node.text
        case "large":
            return "Σ" if node.text == "∑" else "Π"
        case "function":
            return node.text
        case "space":
            return "  "
        case "frac":
            return f"{_enclosed(node.parts[0])}/{_enclosed(node.parts[1])}"
        case "sqrt":
            return f"√({_said(node.parts[0])})"
        case "hat":
            return _said(node.parts[0]) + HAT
        case "script":
            return _script(node)
        case "cases":
            return "{ " + "; ".join(_said(part) for part in node.parts[:1]) + _others(node)
    return node.text


def _row(node: Node) -> str:
    said = []
    for i, part in enumerate(node.parts):
        text = _said(part)
        before = next((n for n in node.parts[:i][::-1] if n.kind != "space"), None)
        alone = before is None or (before.kind == "sign" and before.text in "=(+−·<>≤≥←/,")
        if part.kind == "sign" and part.text in SPACED and not (part.text == "−" and alone):
            text = f" {text} "
        elif part.kind == "sign" and part.text == ",":
            text = ", " if len(node.parts) > 5 else ","
        elif i and _ends(node.parts[i - 1]) and (_begins(part) or (text == "(" and node.parts[i - 1].kind == "frac")):
            text = f" {text}"
        said.append(text)
    return "".join(said)


def _ends(node: Node) -> bool:
    """Whether what begins behind it needs a space, as in `W x` and `(a + b)² Σ`."""
    return _begins(node) or (node.kind == "script" and node.parts[0].text == ")")


def _begins(node: Node) -> bool:
    """Whether it needs a space from what ends before it."""
    if node.kind == "script":
        return node.parts[0].kind != "sign"
    return node.kind in (*SINGLE, "frac", "large", "function")


def _script(node: Node) -> str:
    base, below, above = node.parts
    text = _said(base).strip()
    if not above.empty:
        raised = _said(above).replace(" ", "")
        bracketed = raised if raised.startswith("(") or len(raised) == 1 else f"({raised})"
        text += raised.translate(ABOVE) if set(raised) <= RAISED else f"^{bracketed}"
    if not below.empty:
        lowered = ",".join(part.strip() for part in _said(below).split(","))
        text += f"{{{lowered}}}" if base.kind in ("large", "function") else f"[{lowered}]"
    return text + (" " if base.kind == "large" else "")


def _enclosed(node: Node) -> str:
    """In brackets, unless it is a single thing or a derivative's ∂x."""
    said = _said(node).strip()
    derivative = node.kind == "row" and node.parts[0].text == "∂"
    if derivative:
        return said.replace("∂ ", "∂")
    return said if node.kind in (*SINGLE, "script") else f"({said})"


def _others(node: Node) -> str:
    """After the first value of cases: its condition, then value and condition by turns."""
    said = ""
    for i, part in enumerate(node.parts[1:], start=1):
        said += f" {_said(part)}" if i % 2 else f"; {_said(part)}"
    return said + " }"
