"""Formulas as trees, read from a small part of LaTeX, so that one source gives LaTeX, MathML and plain text.

Read are: letters, numbers and signs; `_` and `^`; groups in braces; the symbols and functions listed below; `\\frac`,
`\\sqrt`, `\\hat`, `\\text`, `\\mathrm`, `\\mathbf`, `\\left`, `\\right`, spaces; and `cases` with `&` and `\\\\`.
"""

import re
from dataclasses import dataclass, field
from functools import lru_cache

SYMBOLS = {
    "alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "epsilon": "ε", "eta": "η", "lambda": "λ", "mu": "μ",
    "sigma": "σ", "Phi": "Φ", "phi": "φ", "pi": "π", "infty": "∞", "ell": "ℓ", "top": "⊤", "prime": "′",
}  # fmt: skip
OPERATORS = {
    "partial": "∂", "cdot": "·", "odot": "⊙", "times": "×", "in": "∈", "le": "≤", "ge": "≥", "ne": "≠", "approx": "≈",
    "leftarrow": "←", "to": "→", "ldots": "…", "cdots": "⋯", "pm": "±", "neg": "¬", "lfloor": "⌊", "rfloor": "⌋",
    "lceil": "⌈", "rceil": "⌉", "{": "{", "}": "}", "|": "‖",
}  # fmt: skip
LARGE = {"sum": "∑", "prod": "∏"}
FUNCTIONS = ("max", "min", "exp", "log", "arg", "tanh", "arctan", "sin", "cos")
SPACES = {",": 0.17, ";": 0.28, "quad": 1.0, "qquad": 2.0}
TOKEN = re.compile(r"\s+|\\[A-Za-z]+|\\.|\d+(?:\.\d+)?|.", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Node:
    """A part of a formula.

    `kind` is one of: row, letter, word, number, sign, large, function, space, frac, sqrt, hat, script, cases. A script has
    its base, what stands below and what stands above; cases have a value and a condition by turns.
    """

    kind: str
    text: str = ""
    parts: tuple["Node", ...] = field(default=())

    @property
    def empty(self) -> bool:
        """Whether there is nothing to see."""
        return self.kind == "row" and not self.parts


EMPTY = Node("row")


@lru_cache(maxsize=4096)
def parse(latex: str) -> Node:
    """The tree of a formula.

    Raises:
        ValueError: it uses what is not read, or a brace is missing.
    """
    tokens = [t for t in TOKEN.findall(latex) if not t.isspace()] if "\\text" not in latex else _with_words(latex)
    reader = _Reader(latex, tokens)
    tree = reader.row(())
    if reader.left:
        raise ValueError(f"A brace too many in the formula {latex!r}.")
    return tree


def _with_words(latex: str) -> list[str]:
    """Tokens where what stands in \\text{...} stays whole, spaces and all."""
    tokens: list[str] = []
    for i, part in enumerate(re.split(r"\\text\{([^{}]*)\}", latex)):
        if i % 2:
            tokens += ["\\text", part]
        else:
            tokens += [t for t in TOKEN.findall(part) if not t.isspace()]
    return tokens


class _Reader:
    """Reads tokens from left to right."""

    def __init__(self, latex: str, tokens: list[str]) -> None:
        self.latex, self.left = latex, tokens[::-1]

    def next(self) -> str:
        if not self.left:
            raise ValueError(f"The formula {self.latex!r} ends too early.")
        return self.left.pop()

    def row(self, ends: tuple[str, ...]) -> Node:
        """Atoms up to one of the ends, which stays; or to the end of the formula or group."""
        parts: list[Node] = []
        while self.left and self.left[-1] not in (*ends, "}"):
            parts.append(self.scripted())
        return parts[0] if len(parts) == 1 else Node("row", parts=tuple(parts))

    def scripted(self) -> Node:
        """An atom with what stands below and above it."""
        base = self.atom()
        below, above = EMPTY, EMPTY
        while self.left and self.left[-1] in ("_", "^"):
            lower = self.next() == "_"
            if not (below if lower else above).empty:
                raise ValueError(f"Two subscripts or superscripts in the formula {self.latex!r}.")
            if lower:
                below = self.atom()
            else:
                above = self.atom()
        return base if below.empty and above.empty else Node("script", parts=(base, below, above))

    def group(self) -> Node:
        """What stands in braces."""
        if self.next() != "{":
            raise ValueError(f"A brace is missing in the formula {self.latex!r}.")
        return self.closed()

    def closed(self) -> Node:
        inside = self.row(())
        self.next()
        return inside

    def atom(self) -> Node:
        token = self.next()
        if token == "{":
            return self.closed()
        if token.startswith("\\"):
            return self.command(token[1:])
        if token[0].isdigit():
            return Node("number", token)
        return Node("letter" if token.isalpha() else "sign", "−" if token == "-" else token)

    def command(self, name: str) -> Node:
        if name in SYMBOLS:
            return Node("letter", SYMBOLS[name])
        for kind, known in (("sign", OPERATORS), ("large", LARGE)):
            if name in known:
                return Node(kind, known[name])
        if name in FUNCTIONS:
            return Node("function", name)
        if name in SPACES:
            return Node("space", str(SPACES[name]))
        if name in ("left", "right"):
            return self.atom()
        if name == "text":
            return Node("word", self.next())
        if name == "frac":
            return Node("frac", parts=(self.group(), self.group()))
        if name in ("sqrt", "hat"):
            return Node(name, parts=(self.group(),))
        if name in ("mathrm", "mathbf"):
            return Node("word", _letters(self.group()))
        if name == "begin":
            return self.cases()
        raise ValueError(f"\\{name} in the formula {self.latex!r} is not known here.")

    def cases(self) -> Node:
        """`value & condition`, one below the other."""
        self.group()
        parts: list[Node] = []
        while True:
            parts.append(self.row(("&", "\\\\", "\\end")))
            if self.next() == "\\end":
                self.group()
                return Node("cases", parts=tuple(parts))


def _letters(node: Node) -> str:
    return node.text + "".join(map(_letters, node.parts))
