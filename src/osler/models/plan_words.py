"""The words of a plan: those that begin a layer, what may follow which, and those that speak of the layer before them."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from osler.models.plan import Conv, Full, GlobalAverage, Layer, Pool
from osler.nn.activations import activations
from osler.structures.registry import nearest

COUNT = r"[1-9]\d{0,5}"


@dataclass(frozen=True, slots=True)
class Head:
    """A word that begins a layer."""

    pattern: str
    meant: str  # for messages: what stands here, with examples
    make: Callable[[re.Match[str]], Layer] | None = None  # None: the input is no layer


def _conv(match: re.Match[str]) -> Layer:
    kernel, channels, stride = match.groups()
    if channels == "classes":
        return Conv(int(kernel), None, int(stride or 1), activation="identity")
    return Conv(int(kernel), int(channels), int(stride or 1))


def _pool(match: re.Match[str]) -> Layer:
    kind, kernel, stride = match.groups()
    return Pool("max" if kind == "max" else "avg", int(kernel), int(stride or kernel))


def _full(match: re.Match[str]) -> Layer:
    return Full(None, activation="identity") if match[1] == "classes" else Full(int(match[1]))


HEADS = {
    "input": Head(rf"input({COUNT})", "the side of the pictures such as input224"),
    "conv": Head(
        rf"conv({COUNT})-({COUNT}|classes)(?:/({COUNT}))?", "a convolution such as conv3-64 or conv11-96/4", _conv
    ),
    "pool": Head(rf"(max|avg)pool({COUNT})(?:/({COUNT}))?", "a pooling such as maxpool2 or avgpool3/2", _pool),
    "gap": Head(r"gap", "gap", lambda _match: GlobalAverage()),
    "fc": Head(rf"fc-({COUNT}|classes)", "a fully connected layer such as fc-4096 or fc-classes", _full),
}

# What may begin after what; `scores` are maps, one a class, and `end` follows the raw outputs.
FOLLOWERS: dict[str, tuple[str, ...]] = {
    "start": ("input",),
    "input": ("conv",),
    "conv": ("conv", "pool", "gap", "fc"),
    "pool": ("conv", "gap", "fc"),
    "gap": ("fc",),
    "fc": ("fc",),
    "scores": ("gap",),
    "averaged scores": (),
    "end": (),
}


@dataclass(frozen=True, slots=True)
class Modifier:
    """A word that speaks of the layer before it."""

    field: str  # of the layer, or `times`
    example: str
    pattern: str
    read: Callable[[str], Any]


MODIFIERS = (
    Modifier("padding", "pad1", r"pad(\d{1,6})", int),
    Modifier("groups", "groups2", rf"groups({COUNT})", int),
    Modifier("norm", "bn", r"(bn)", str),
    Modifier("norm", "lrn", r"(lrn)", str),
    Modifier("activation", "an activation such as tanh", f"({'|'.join(activations)})", str),
    Modifier("ceil", "ceil", r"(ceil)", bool),
    Modifier("dropout", "drop0.5", r"drop(0(?:\.\d+)?)", float),
    Modifier("times", "x2", r"x([1-9]\d{0,2})", int),
)
_OF_CONV = ("pad1", "groups2", "bn", "lrn", "an activation such as tanh", "drop0.5", "x2")
_OF_SCORES = ("pad1", "groups2", "an activation such as tanh")
SAYABLE: dict[str, tuple[str, ...]] = {  # of each kind of layer, by the modifiers' examples
    "start": (),
    "input": (),
    "conv": _OF_CONV,
    "pool": ("pad1", "ceil", "lrn", "drop0.5"),
    "gap": ("drop0.5",),
    "fc": ("bn", "an activation such as tanh", "drop0.5", "x2"),
    "scores": _OF_SCORES,
    "averaged scores": (),
    "end": ("an activation such as tanh",),
}


def head_of(text: str) -> tuple[str, re.Match[str] | None]:
    """The kind of layer that a word begins and its numbers, or no match."""
    for kind, head in HEADS.items():
        if match := re.fullmatch(head.pattern, text):
            return kind, match
    return "", None


def modifier_of(text: str) -> tuple[Modifier, Any] | None:
    """What a word says of the layer before it, and the value."""
    for modifier in MODIFIERS:
        if match := re.fullmatch(modifier.pattern, text):
            return modifier, modifier.read(match[1])
    return None


def meant_by(text: str) -> str:
    """What a person may have meant who wrote a word that is none, or an empty string."""
    starts = {"pool": "pool", "maxpool": "pool", "avgpool": "pool"} | {kind: kind for kind in HEADS}
    meant = {start: HEADS[kind].meant for start, kind in starts.items()}
    meant |= {re.match(r"[a-z]+", m.example)[0]: m.example for m in MODIFIERS if m.field != "activation"}  # type: ignore[index]
    meant |= {name: name for name in activations}
    letters = re.match(r"[A-Za-z_]*", text)
    close = nearest(letters[0], meant) if letters else None
    return meant[close] if close else ""
