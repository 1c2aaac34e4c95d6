"""Formulas as MathML Core, which browsers draw by themselves (W3C, "MathML Core")."""

from html import escape
from typing import Any

from osler.anatomy.backprop.formula import Node, parse

NO_BREAK = "\N{NO-BREAK SPACE}"
OPENING = "=(+−·<>≤≥←,[/"
LIMITS = {"max", "min"}  # functions whose subscript stands below


def mathml(latex: str) -> str:
    """A formula in display style, with its LaTeX as the text for those who do not see it."""
    return f'<math display="block" aria-label="{escape(latex, quote=True)}">{_drawn(parse(latex))}</math>'


def inline_mathml(latex: str) -> str:
    """A formula within a line of text."""
    return f'<math aria-label="{escape(latex, quote=True)}">{_drawn(parse(latex))}</math>'


def wrapping_mathml(latex: str) -> str:
    """A long line of numbers that may break before each plus and equals sign, which browsers do not do within a formula."""
    first, *others = _terms(latex)
    pieces = [f'<math displaystyle="true" aria-label="{escape(latex, quote=True)}">{_drawn(parse(first))}</math>']
    for sign, term in others:
        drawn = f'<mo form="infix">{sign}</mo>{_drawn(parse(term))}'
        pieces.append(f'<math displaystyle="true" aria-hidden="true">{drawn}</math>')
    return " ".join(pieces)


def _terms(latex: str) -> list[Any]:
    """The first term, and then pairs of a sign and what follows it; what stands in braces stays whole."""
    terms: list[Any] = []
    depth = start = 0
    sign = ""
    for i, letter in enumerate(latex):
        depth += (letter == "{") - (letter == "}")
        if depth == 0 and latex[i : i + 3] in (" + ", " = "):
            terms.append((sign, latex[start:i]) if terms else latex[start:i])
            sign, start = latex[i + 1], i + 3
    terms.append((sign, latex[start:]) if terms else latex[start:])
    return terms


def _drawn(node: Node) -> str:
    inside = _parts(node) if node.kind not in ("script", "cases") else []
    text = escape(node.text)
    match node.kind:
        case "row":
            return f"<mrow>{''.join(inside)}</mrow>"
        case "letter":
            return f"<mi>{text}</mi>"
        case "word":
            return f"<mtext>{text.replace(' ', NO_BREAK)}</mtext>"  # outer spaces would not be seen
        case "number":
            return f"<mn>{text}</mn>"
        case "sign":
            still = ' stretchy="false"' if node.text in "()[]{}|‖" else ""
            return f"<mo{still}>{text}</mo>"
        case "large":
            return f"<mo>{text}</mo>"
        case "function":
            return f'<mi>{text}</mi><mspace width="0.12em"/>'
        case "space":
            return f'<mspace width="{text}em"/>'
        case "frac":
            return f"<mfrac>{inside[0]}{inside[1]}</mfrac>"
        case "sqrt":
            return f"<msqrt>{inside[0]}</msqrt>"
        case "hat":
            return f'<mover accent="true">{inside[0]}<mo stretchy="false">^</mo></mover>'
        case "cases":
            return _cases(node)
    return _script(node)


def _parts(node: Node) -> list[str]:
    """Each part drawn; a minus that begins a number stands close to it."""
    found = []
    for i, part in enumerate(node.parts):
        before = next((n for n in node.parts[:i][::-1] if n.kind != "space"), None)
        begins = before is None or (before.kind == "sign" and before.text in OPENING)
        if node.kind == "row" and part.text == "−" and part.kind == "sign" and begins:
            found.append('<mo form="prefix" lspace="0" rspace="0">−</mo>')
        else:
            found.append(_drawn(part))
    return found


def _script(node: Node) -> str:
    base, below, above = node.parts
    around = base.kind == "large" or (base.kind == "function" and base.text in LIMITS)
    name = ("munder", "mover", "munderover") if around else ("msub", "msup", "msubsup")
    drawn = f"<mi>{escape(base.text)}</mi>" if base.kind == "function" else _drawn(base)
    if above.empty:
        return f"<{name[0]}>{drawn}{_drawn(below)}</{name[0]}>"
    if below.empty:
        return f"<{name[1]}>{drawn}{_drawn(above)}</{name[1]}>"
    return f"<{name[2]}>{drawn}{_drawn(below)}{_drawn(above)}</{name[2]}>"


def _cases(node: Node) -> str:
    cells = [f"<mtd>{_drawn(part)}</mtd>" for part in node.parts]
    rows = "".join(f"<mtr>{''.join(cells[i : i + 2])}</mtr>" for i in range(0, len(cells), 2))
    return f'<mrow><mo>{{</mo><mtable columnalign="left left">{rows}</mtable></mrow>'
