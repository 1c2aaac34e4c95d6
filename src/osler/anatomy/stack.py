"""Which module runs at the moment, and the rows of the table as they come up.

A module without modules inside it is a row for each time it is called. What a block does itself between its parts (an addition,
a concatenation) is a row too.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.utils.hooks import RemovableHandle

from osler.anatomy.rules.shapes import VIEWS
from osler.anatomy.sight import Sight
from osler.anatomy.window_use import WindowUse


@dataclass(slots=True)
class Frame:
    """A call of a module."""

    path: str  # dotted name; "" for the network itself
    module: nn.Module
    has_parts: bool = False
    row: "Row | None" = None


@dataclass(slots=True)
class Row:
    """What one layer did."""

    frame: Frame
    index: int
    operators: list[str] = field(default_factory=list)
    windows: list[WindowUse] = field(default_factory=list)
    inputs: dict[int, None] = field(default_factory=dict)  # rows whose outputs it took; -1: the picture
    input_shapes: list[tuple[int, ...]] = field(default_factory=list)
    output_shape: tuple[int, ...] = ()
    sight: Sight | None = None
    parameters: list[str] = field(default_factory=list)
    multiply_adds: int = 0
    element_operations: int = 0
    unknown: Counter[str] = field(default_factory=Counter)
    alive: int = 0  # bytes of what it made that are still needed
    kept: int = 0  # the same when the next row began
    saved: int = 0  # bytes that it keeps for the backward pass

    @property
    def path(self) -> str:
        """Dotted name of the module that ran."""
        return self.frame.path

    @property
    def kind(self) -> str:
        """The module's class, or the operators that a block ran itself."""
        if not self.frame.has_parts:
            return type(self.frame.module).__name__
        names = [n for n in dict.fromkeys(self.operators) if n not in VIEWS] or ["reshape"]
        return ", ".join(names)


class ModuleStack:
    """Frames of the modules that are running, innermost last."""

    def __init__(self) -> None:
        self.frames: list[Frame] = []
        self.rows: list[Row] = []

    @contextmanager
    def following(self, model: nn.Module) -> Iterator[None]:
        """While open, calls of the network's modules are followed."""
        handles: list[RemovableHandle] = []
        if isinstance(model, torch.jit.ScriptModule):
            self.frames.append(Frame("", model))
        for path, module in model.named_modules():
            if isinstance(module, torch.jit.ScriptModule):  # takes no hooks: a script is one layer
                continue
            enter = partial(self._enter, path)
            handles.append(module.register_forward_pre_hook(lambda m, _, enter=enter: enter(m), prepend=True))
            handles.append(module.register_forward_hook(lambda *_: self._leave()))
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def row(self) -> Row:
        """The row at hand; a new one where a module began, or a block goes on after one of its parts."""
        frame = self.frames[-1]
        if frame.row is None:
            frame.row = Row(frame, len(self.rows))
            self.finish()
            self.rows.append(frame.row)
        return frame.row

    def finish(self) -> None:
        """The last row is over: what it made and is still there, it handed on."""
        if self.rows:
            self.rows[-1].kept = self.rows[-1].alive

    def where(self) -> str:
        """The innermost module that runs, for messages: `features.28 (MaxPool2d)`."""
        if not self.frames:
            return "the network"
        frame = self.frames[-1]
        return f"{frame.path} ({type(frame.module).__name__})" if frame.path else type(frame.module).__name__

    def _enter(self, path: str, module: nn.Module) -> None:
        if self.frames:
            self.frames[-1].has_parts = True
            self.frames[-1].row = None
        self.frames.append(Frame(path, module))

    def _leave(self) -> Any:
        self.frames.pop()
