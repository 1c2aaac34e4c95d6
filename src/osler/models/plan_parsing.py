"""From the text of a plan to its layers; a plan that does not parse is told where and what is allowed there."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, NoReturn

from osler.models.plan import Conv, Full, GlobalAverage, Layer, Plan, Pool, is_output
from osler.nn.activations import activations
from osler.nn.convolution import same_padding
from osler.structures.errors import RecipeError
from osler.structures.registry import nearest

CONV = "a convolution such as conv3-64 or conv11-96/4"
POOL = "a pooling such as maxpool2 or avgpool3/2"
FULL = "a fully connected layer such as fc-4096 or fc-classes"
GAP = "gap"

HEADS = {
    "input": re.compile(r"input([1-9]\d*)"),
    "conv": re.compile(r"conv([1-9]\d*)-([1-9]\d*|classes)(?:/([1-9]\d*))?"),
    "pool": re.compile(r"(max|avg)pool([1-9]\d*)(?:/([1-9]\d*))?"),
    "gap": re.compile(r"gap"),
    "fc": re.compile(r"fc-([1-9]\d*|classes)"),
}
FOLLOWERS = {  # of each kind of layer; the raw outputs end a plan
    "start": ("input",),
    "input": ("conv",),
    "conv": ("conv", "pool", "gap", "fc"),
    "pool": ("conv", "gap", "fc"),
    "gap": ("fc",),
    "fc": ("fc",),
    "conv-classes": ("gap",),
    "end": (),
}
WORDS = {  # that speak of the layer before them
    "input": (),
    "conv": ("pad1", "groups2", "bn", "lrn", "an activation", "drop0.5", "x2"),
    "pool": ("pad1", "ceil", "lrn", "drop0.5"),
    "gap": ("drop0.5",),
    "fc": ("bn", "an activation", "drop0.5", "x2"),
    "conv-classes": ("pad1", "groups2", "an activation"),
    "end": ("an activation",),
}
NAMES = {"input": "the side of the pictures such as input224", "conv": CONV, "pool": POOL, "gap": GAP, "fc": FULL}


@dataclass(frozen=True, slots=True)
class _Word:
    """A word of the text and where it stands, counted from 0."""

    text: str
    line: int
    column: int


def parse_plan(text: str) -> Plan:
    """The plan that a text says: see `osler.models.plan` for its words.

    Raises:
        RecipeError: the text is no plan. The message shows the line with a mark under the place, and what is allowed there.
    """
    return _Parser(text).plan()


class _Parser:
    """Reads word by word; `state` is what the last layer was."""

    def __init__(self, text: str) -> None:
        self.lines = text.splitlines() or [""]
        self.state = "start"
        self.input_size = 0
        self.side = 0  # of the map after the last layer, at input_size
        self.layers: list[Layer] = []
        self.said: set[str] = set()  # about the last layer: nothing is said twice
        self.head = _Word("", 0, 0)  # the word that began the last layer
        self.repeats = 1

    def plan(self) -> Plan:
        """Everything, to the end."""
        for word in self._split():
            kind, match = _head_of(word.text)
            if match:
                self._finish()
                self._begin(kind, match, word)
            else:
                self._describe(word)
        self._finish()
        if self.state != "end" or (self._ends_in_maps() and not isinstance(self.layers[-1], GlobalAverage)):
            end = _Word("", len(self.lines) - 1, len(self.lines[-1].rstrip()))
            self._refuse(end, "it ends before its raw outputs, fc-classes or conv1-classes gap")
        return Plan(self.input_size, tuple(self.layers))

    def _split(self) -> Iterator[_Word]:
        for number, line in enumerate(self.lines):
            said = line.split("#", 1)[0]
            yield from (_Word(m[0], number, m.start()) for m in re.finditer(r"[^\s|]+", said))

    def _begin(self, kind: str, match: re.Match[str], word: _Word) -> None:
        """A new layer."""
        if kind not in FOLLOWERS[self.state]:
            self._refuse(word, f"{word.text} cannot stand here")
        self.head, self.said, self.repeats = word, set(), 1
        if kind == "input":
            self.input_size = self.side = int(match[1])
            self.state = kind
            return
        layer = MAKERS[kind](match)
        self.layers.append(layer)
        last = is_output(layer) or (kind == "gap" and self.state == "conv-classes")
        self.state = "conv-classes" if last and kind == "conv" else "end" if last else kind

    def _describe(self, word: _Word) -> None:
        """A word about the last layer."""
        about, value = _modifier(word.text)
        if about is None:
            self._refuse(word, f"{word.text!r} is no word of a plan", given=word.text)
        if not self.layers or _example(about) not in self._words():
            self._refuse(word, f"{word.text} does not speak of {self.head.text or 'the beginning'}")
        if about in self.said:
            self._refuse(word, f"{word.text} is the second word about the same thing of {self.head.text}")
        self.said.add(about)
        if about == "times":
            self.repeats = value
        else:
            self.layers[-1] = replace(self.layers[-1], **{about: value})

    def _finish(self) -> None:
        """The last layer is complete: it must be possible, and its map must have a size."""
        if not self.layers or self.head.text.startswith("input"):
            return
        layer = self.layers[-1]
        if isinstance(layer, Conv):
            layer = self.layers[-1] = self._completed(layer)
        if isinstance(layer, Pool) and layer.padding > layer.kernel // 2:
            self._fault(f"a pooling of {layer.kernel} takes at most pad{layer.kernel // 2}")
        for _ in range(self.repeats):
            if isinstance(layer, (Conv, Pool)):
                self._shrink(layer)
        self.layers += [layer] * (self.repeats - 1)
        self.repeats = 1

    def _completed(self, layer: Conv) -> Conv:
        """With the padding that keeps the size, unless another was said; its groups divide its channels."""
        before = [x.channels for x in self.layers[:-1] if isinstance(x, Conv)]
        for channels in (layer.channels, *before[-1:]):
            if channels is not None and channels % layer.groups:
                self._fault(f"{channels} channels cannot be parted into {layer.groups} groups")
        if "padding" in self.said:
            return layer
        if layer.kernel % 2 == 0:
            self._fault(f"no padding keeps the size under an even kernel: say it, such as pad{layer.kernel // 2}")
        return replace(layer, padding=same_padding(layer.kernel))

    def _shrink(self, layer: Conv | Pool) -> None:
        try:
            self.side = layer.window.output(self.side)
        except RecipeError:
            side = f"{self.side}x{self.side}"
            self._fault(f"the map is {side} here, at input{self.input_size}, and {self.head.text} does not fit into it")

    def _ends_in_maps(self) -> bool:
        return not any(isinstance(layer, Full) for layer in self.layers)

    def _words(self) -> tuple[str, ...]:
        if isinstance(self.layers[-1], GlobalAverage) and self.state == "end":
            return ()
        return WORDS[self.state]

    def _fault(self, what: str) -> NoReturn:
        """Something is wrong with the last layer itself, wherever in the plan it stands."""
        raise RecipeError(self._shown(self.head, what))

    def _refuse(self, word: _Word, what: str, *, given: str = "") -> NoReturn:
        """Something else is allowed here: it is said."""
        layers = [NAMES[kind] for kind in FOLLOWERS[self.state]]
        words = [w for w in (self._words() if self.layers else ()) if _about(w) not in self.said]
        layers_said = f"{', or '.join(layers)}" if layers else "the end of the plan"
        words_said = f"; of {self.head.text}: {', '.join(words)}" if words else ""
        close = nearest(given, [*activations, "maxpool2", "avgpool2", "gap", "fc-classes", "drop0.5", "groups2"])
        hint = f" Did you mean {close}?" if given and close else ""
        raise RecipeError(f"{self._shown(word, what)}{hint}\nAllowed here: {layers_said}{words_said}.")

    def _shown(self, word: _Word, what: str) -> str:
        place = f"line {word.line + 1}, column {word.column + 1}"
        mark = " " * word.column + "^"
        return f"The plan does not parse at {place}: {what}.\n  {self.lines[word.line]}\n  {mark}"


def _head_of(text: str) -> tuple[str, re.Match[str] | None]:
    """The kind of layer that a word begins, or no match."""
    for kind, pattern in HEADS.items():
        if match := pattern.fullmatch(text):
            return kind, match
    return "", None


def _number(text: str) -> int | None:
    return None if text == "classes" else int(text)


def _conv(match: re.Match[str]) -> Layer:
    channels = _number(match[2])
    return Conv(int(match[1]), channels, int(match[3] or 1), activation="relu" if channels else "identity")


def _full(match: re.Match[str]) -> Layer:
    units = _number(match[1])
    return Full(units, activation="relu" if units else "identity")


MAKERS: dict[str, Callable[[re.Match[str]], Layer]] = {
    "conv": _conv,
    "pool": lambda m: Pool("max" if m[1] == "max" else "avg", int(m[2]), int(m[3] or m[2])),
    "gap": lambda m: GlobalAverage(),
    "fc": _full,
}
NUMBERED = {"pad": "padding", "groups": "groups", "x": "times"}
EXAMPLES = {"padding": "pad1", "groups": "groups2", "activation": "an activation", "dropout": "drop0.5", "times": "x2"}


def _modifier(text: str) -> tuple[str | None, Any]:
    """What a word says of the layer before it: the field and its value; no field for no word of a plan."""
    if match := re.fullmatch(r"(pad|groups|x)(\d+)", text):
        value = int(match[2])
        return (NUMBERED[match[1]], value) if value or match[1] == "pad" else (None, None)
    if match := re.fullmatch(r"drop(0(?:\.\d+)?)", text):
        return "dropout", float(match[1])
    if text in ("bn", "lrn"):
        return f"norm:{text}", text
    if text == "ceil":
        return "ceil", True
    return ("activation", text) if text in activations else (None, None)
