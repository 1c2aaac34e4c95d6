"""From the text of a plan to its layers; a plan that does not parse is told where, and what is allowed there."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NoReturn

from osler.models.plan import Conv, Layer, Plan, Pool, is_output
from osler.models.plan_words import FOLLOWERS, HEADS, MODIFIERS, SAYABLE, head_of, meant_by, modifier_of
from osler.nn.convolution import same_padding
from osler.structures.errors import RecipeError


def parse_plan(text: str) -> Plan:
    """The plan that a text says: see `osler.models.plan` for its words.

    Raises:
        RecipeError: the text is no plan. The message shows the line with a mark under the place, and what is allowed there.
    """
    return _Parser(text).plan()


@dataclass(frozen=True, slots=True)
class _Word:
    """A word of the text and where it stands, counted from 0."""

    text: str
    line: int
    column: int


class _Parser:
    """Reads word by word."""

    def __init__(self, text: str) -> None:
        self.lines = text.splitlines() or [""]
        self.layers: list[Layer] = []
        self.input_size = 0
        self.side = 0  # of the map after the layers so far, at input_size
        # of the last layer:
        self.state = "start"
        self.head = _Word("the beginning", 0, 0)
        self.said: dict[str, _Word] = {}  # the words about it, by the field that they fill
        self.times = 1

    def plan(self) -> Plan:
        """Everything, to the end."""
        for word in self._split():
            kind, match = head_of(word.text)
            if match:
                self._complete()
                self._begin(kind, match, word)
            else:
                self._describe(word)
        self._complete()
        if FOLLOWERS[self.state]:
            at = _Word("", len(self.lines) - 1, len(self.lines[-1].split("#", 1)[0].rstrip()))
            self._refuse(at, "it ends before its raw outputs, fc-classes or conv1-classes gap")
        return Plan(self.input_size, tuple(self.layers))

    def _split(self) -> Iterator[_Word]:
        for number, line in enumerate(self.lines):
            for match in re.finditer(r"[^\s|]+", line.split("#", 1)[0]):
                yield _Word(match[0], number, match.start())

    def _begin(self, kind: str, match: re.Match[str], word: _Word) -> None:
        """A new layer."""
        if kind not in FOLLOWERS[self.state]:
            self._refuse(word, f"{word.text} cannot stand here")
        self.head, self.said, self.times = word, {}, 1
        make = HEADS[kind].make
        if make is None:
            self.input_size = self.side = int(match[1])
            self.state = kind
            return
        self.layers.append(make(match))
        self.state = self._state_after(kind)

    def _state_after(self, kind: str) -> str:
        if is_output(self.layers[-1]):
            return "scores" if kind == "conv" else "end"
        return "averaged scores" if self.state == "scores" else kind

    def _describe(self, word: _Word) -> None:
        """A word about the last layer."""
        found = modifier_of(word.text)
        if found is None:
            close = meant_by(word.text)
            hint = f"; did you mean {close}?" if close else ""
            self._refuse(word, f"{word.text!r} is no word of a plan{hint}")
        modifier, value = found
        if modifier.example not in SAYABLE[self.state]:
            self._refuse(word, f"{word.text} cannot be said of {self.head.text}")
        if modifier.field in self.said:
            self._refuse(word, f"{self.said[modifier.field].text} has been said of {self.head.text} already")
        self.said[modifier.field] = word
        if modifier.field == "times":
            self.times = value
        else:
            self.layers[-1] = replace(self.layers[-1], **{modifier.field: value})

    def _complete(self) -> None:
        """All words about the last layer are read: it must be possible, and its map must have a size."""
        if not self.layers:
            return
        layer = self.layers[-1]
        if isinstance(layer, Conv):
            layer = self.layers[-1] = self._padded(layer)
            self._check_groups(layer)
        elif isinstance(layer, Pool) and layer.padding > layer.kernel // 2:
            self._fault("padding", f"{self.head.text} takes at most pad{layer.kernel // 2}")
        if isinstance(layer, (Conv, Pool)):
            self._shrink(layer)
        self.layers += [layer] * (self.times - 1)
        self.times = 1

    def _padded(self, layer: Conv) -> Conv:
        """With the padding that keeps the size, where none was said."""
        if "padding" in self.said:
            return layer
        if layer.kernel % 2 == 0:
            self._fault("", f"no padding keeps the size under an even kernel, so say one: {self.head.text} pad0")
        return replace(layer, padding=same_padding(layer.kernel))

    def _check_groups(self, layer: Conv) -> None:
        before = next((x.channels for x in reversed(self.layers[:-1]) if isinstance(x, Conv)), None)
        for channels in (before, layer.channels):
            if channels is not None and channels % layer.groups:
                self._fault("groups", f"{channels} channels cannot be parted into {layer.groups} groups")

    def _shrink(self, layer: Conv | Pool) -> None:
        for _ in range(self.times):
            try:
                self.side = layer.window.output(self.side)
            except RecipeError:
                self._fault("", f"{self.head.text} does not fit: the map has {self.side}x{self.side} positions here")

    def _fault(self, field: str, what: str) -> NoReturn:
        """A word is allowed where it stands, but what it says cannot be."""
        raise RecipeError(self._shown(self.said.get(field, self.head), what))

    def _refuse(self, word: _Word, what: str) -> NoReturn:
        """Something else is allowed here: it is named."""
        layers = ", or ".join(HEADS[kind].meant for kind in FOLLOWERS[self.state]) or "the end of the plan"
        open_fields = {m.example for m in MODIFIERS if m.field not in self.said}
        words = ", ".join(w for w in SAYABLE[self.state] if w in open_fields)
        allowed = f"{layers}; of {self.head.text}: {words}" if words else layers
        raise RecipeError(f"{self._shown(word, what)}\nAllowed here: {allowed}.")

    def _shown(self, word: _Word, what: str) -> str:
        line = self.lines[word.line]
        mark = "".join(c if c == "\t" else " " for c in line[: word.column]) + "^"
        place = f"line {word.line + 1}, column {word.column + 1}"
        stop = "" if what.endswith("?") else "."
        return f"The plan does not parse at {place}: {what}{stop}\n    {line}\n    {mark}"
