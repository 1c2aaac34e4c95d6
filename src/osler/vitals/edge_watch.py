"""Operations at the edge of where they are defined: the square root of 0, the logarithm of 0, a division by 0.

A value there is infinite or no number, or its slope is. They are looked at only in the updates that are looked at closely,
and only where a gradient runs through them.
"""

import functools
import operator
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from osler.vitals.evidence import Edge, Site
from osler.vitals.producers import SITE, notes
from osler.vitals.sites import persons_site
from osler.vitals.state import Patches, State

EDGES_KEPT = 200
OF_ROOTS = ("sqrt", "rsqrt", "reciprocal", "log", "log2", "log10", "log1p", "acos", "asin", "atanh")
OF_POWERS = ("pow", "__pow__")
OF_QUOTIENTS = ("div", "__truediv__", "true_divide", "divide")
OF_EXPONENTIALS = ("exp", "expm1", "exp2")  # which overflow
# Where an operand lies at the edge: the value or the slope there is infinite.
AT_EDGE: dict[str, Callable[[Tensor], Tensor]] = {
    "sqrt": lambda x: x <= 0,
    "rsqrt": lambda x: x <= 0,
    "reciprocal": lambda x: x == 0,
    "log": lambda x: x <= 0,
    "log2": lambda x: x <= 0,
    "log10": lambda x: x <= 0,
    "log1p": lambda x: x <= -1,
    "acos": lambda x: x.abs() >= 1,
    "asin": lambda x: x.abs() >= 1,
    "atanh": lambda x: x.abs() >= 1,
}


class EdgeWatch:
    """The operations of PyTorch that have an edge."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._edges: dict[tuple[str, Site], Edge] = {}
        self._inside = False

    def install(self, patches: Patches) -> None:
        """From now on they are seen, of tensors and of torch."""
        for name in (*OF_ROOTS, *OF_POWERS, *OF_QUOTIENTS, *OF_EXPONENTIALS):
            for owner in (Tensor, torch):
                patches.replace(owner, name, functools.partial(self._wrap, name.strip("_").replace("truediv", "div")))

    def _wrap(self, name: str, original: Any) -> Any:
        state, note = self._state, self._state.guarded(self._note)

        @functools.wraps(original)
        def watched(*args: Any, **kwargs: Any) -> Any:
            if not state.dense or self._inside or state.silent or torch.compiler.is_compiling():
                return original(*args, **kwargs)
            self._inside = True
            try:
                value = original(*args, **kwargs)
            finally:
                self._inside = False
            if isinstance(value, Tensor) and value.grad_fn is not None:
                note(name, value, args)
            return value

        if not hasattr(original, "__module__") or original.__module__ is None:
            watched.__module__, watched.__qualname__ = "torch", name  # so that it can be pickled by its name
        return watched

    def _note(self, name: str, value: Tensor, args: Any) -> None:
        site = persons_site()
        if site is None or value.grad_fn is None or not value.numel() or value.is_complex():
            return
        notes(value.grad_fn).setdefault(SITE, site)
        if (name, site) not in self._edges:
            if len(self._edges) >= EDGES_KEPT:
                return
            self._edges[name, site] = Edge(name, site)
            self._state.evidence.edges.append(self._edges[name, site])
        edge = self._edges[name, site]
        with torch.no_grad():
            given = [a.detach() for a in args if isinstance(a, Tensor) and a.is_floating_point()]
            edge.calls += 1
            edge.values += value.numel()
            at_edge = _at_edge(name, value.detach(), args)
            bad = [operator.inv(torch.isfinite(t)).any() for t in (value.detach(), *given)]
            counts = torch.stack([at_edge.sum().float(), *(b.float() for b in bad)]).tolist()
        clean = not any(counts[2:])
        if clean:
            edge.at_edge += int(counts[0])
            edge.made_bad += bool(counts[1])
            if counts[1] and edge.first_bad is None:
                edge.first_bad = self._state.step + 1


def _at_edge(name: str, value: Tensor, args: Any) -> Tensor:
    """Which values, of the operand or of the result, lie where the operation has no finite value or slope."""
    given = args[0] if args and isinstance(args[0], Tensor) else None
    other = args[1] if len(args) > 1 else None
    if name in AT_EDGE and given is not None:
        return AT_EDGE[name](given)
    if name == "div" and isinstance(other, Tensor):
        return other == 0
    if name == "pow" and given is not None and isinstance(other, (int, float)) and (other < 1 and other != 0):
        return given <= 0
    return torch.isinf(value) if name in OF_EXPONENTIALS else torch.zeros((), device=value.device)
