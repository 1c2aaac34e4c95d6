"""What the program makes of a network's outputs outside of it: which of them it takes as answers, and from which edge on.

Noted in `ModelSeen.applied`, by what was done and its line:

- `sigmoid`, `softmax`: applied to the output as it is;
- `> 0.5` (any number) and `round`: the output, as it is, compared with a number, or rounded;
- `argmax of one`: the largest taken along an axis on which the output has one value only: always 0;
- `argmax over samples`: the largest taken along the axis of samples of an output [samples, classes];
- `eq of one-hot`: every bit of one-hot labels compared on its own.
"""

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from osler.vitals.call_watch import CallWatch, Entry
from osler.vitals.sites import persons_site
from osler.vitals.state import Patches, State

SQUASHING = ("sigmoid", "softmax")
CHOOSING = ("argmax", "max")
EDGES = {"__gt__": ">", "gt": ">", "__ge__": ">", "ge": ">", "__lt__": ">", "lt": ">", "__le__": ">", "le": ">"}
COMPARING = ("__eq__", "eq")
SITES_KEPT = 200
LOOKED_AT = 5  # comparisons with labels of a line that are looked into


class MetricWatch:
    """Functions that turn outputs into answers."""

    def __init__(self, state: State, calls: CallWatch) -> None:
        self._state, self._calls = state, calls
        self._inside = False

    def install(self, patches: Patches) -> None:
        """From now on these functions are seen, of tensors and of torch."""
        for owner in (Tensor, torch):
            for name in (*SQUASHING, *CHOOSING, *(n for n in EDGES if n[0] != "_" or owner is Tensor), "round"):
                patches.replace(owner, name, functools.partial(self._wrap, name, self._applied))
        for name in SQUASHING:
            patches.replace(functional, name, functools.partial(self._wrap, name, self._applied))
        for owner, name in ((Tensor, "__eq__"), (Tensor, "eq"), (torch, "eq")):
            patches.replace(owner, name, functools.partial(self._wrap, name, self._compared))

    def _wrap(self, name: str, note: Callable[..., None], original: Any) -> Any:
        state, note = self._state, self._state.guarded(note)

        @functools.wraps(original)
        def watched(*args: Any, **kwargs: Any) -> Any:
            if state.running or state.silent or self._inside or not self._calls.recent:
                return original(*args, **kwargs)
            self._inside = True
            try:
                value = original(*args, **kwargs)
            finally:
                self._inside = False
            note(name, args, kwargs)
            return value

        if not hasattr(original, "__module__") or original.__module__ is None:
            watched.__module__, watched.__qualname__ = "torch", name  # so that it can be pickled by its name
        return watched

    def _entry(self, tensor: Tensor) -> Entry | None:
        """The recent call whose output this tensor is, or is a view of."""
        if not tensor.ndim or not tensor.numel():
            return None
        pointer = tensor.data_ptr()
        for entry in reversed(self._calls.recent):
            if entry.last is not None and entry.pointer == pointer and tensor.shape[0] == entry.size:
                return entry if tensor.numel() == _numel(entry.shape) else None
        return None

    def _applied(self, name: str, args: Any, kwargs: Any) -> None:
        tensor = args[0] if args else kwargs.get("input")
        if not isinstance(tensor, Tensor):
            return
        entry = self._entry(tensor)
        if name in CHOOSING:
            done = _chosen(tensor, kwargs.get("dim", args[1] if len(args) > 1 else None))
            last = self._calls.recent[-1]
            entry = last if done == "argmax of one" and tensor.shape[0] == last.size else entry  # also of its softmax
        elif name in EDGES:
            edge = args[1] if len(args) > 1 else kwargs.get("other")
            done = f"> {float(edge):g}" if isinstance(edge, (int, float)) else None
        else:
            done = name
        if entry is not None and done is not None:
            self._note(entry, done)

    def _compared(self, name: str, args: Any, kwargs: Any) -> None:
        if len(args) < 2 or not (isinstance(args[0], Tensor) and isinstance(args[1], Tensor)):
            return
        a, b = args[0], args[1]
        entry = self._calls.recent[-1]
        if a.ndim != 2 or a.shape != b.shape or a.shape != entry.shape or a.shape[1] < 2:
            return
        counts = entry.model.applied
        if counts.total() < LOOKED_AT * SITES_KEPT and (_one_hot(b) or _one_hot(a)):
            self._note(entry, "eq of one-hot")

    def _note(self, entry: Entry, done: str) -> None:
        site, applied = persons_site(), entry.model.applied
        if site is not None and ((done, site) in applied or len(applied) < SITES_KEPT):
            applied[done, site] += 1


def _chosen(tensor: Tensor, dim: Any) -> str | None:
    if not isinstance(dim, int) or isinstance(dim, bool) or tensor.ndim < 2:
        return None
    axis = dim % tensor.ndim
    if tensor.shape[axis] == 1 and axis == 1:
        return "argmax of one"
    return "argmax over samples" if axis == 0 and tensor.ndim == 2 and min(tensor.shape) > 1 else None


def _one_hot(tensor: Tensor) -> bool:
    values = tensor.detach().float()
    return bool(((values == 0) | (values == 1)).all()) and bool((values.sum(1) == 1).all())


def _numel(shape: tuple[int, ...]) -> int:
    count = 1
    for side in shape:
        count *= side
    return count
