"""The anchors that a network carries, by what its modules hold: makers of anchors, and tables that are named so.

A maker is known by its attributes, whoever wrote it: sizes and ratios of each level, shapes of cells, scales of default
boxes. Of a table the unit is not known: pixels, shares of the picture, or cells.
"""

from collections.abc import Iterator, Sequence
from dataclasses import fields, is_dataclass
from functools import partial
from typing import Any, TypeGuard

import numpy as np
from torch import Tensor, nn

from osler.vitals.object_evidence import AnchorsSeen

WORDS = ("anchor", "prior", "default_box")
INSIDE = 2  # readings and functions that hold others
SHAPES_MOST = 200  # different ones; more are no shapes but boxes in their places


def anchors_of(network: nn.Module) -> list[AnchorsSeen]:
    """The anchors of a network and of all modules in it."""
    found: list[AnchorsSeen] = []
    for path, module in network.named_modules():
        for name, value in _held(module):
            where = ".".join(part for part in (path, name) if part)
            seen = _of_maker(value, where) or (_of_table(value, where) if _is_named(name) else None)
            if seen is not None and not any(np.array_equal(seen.shapes, other.shapes) for other in found):
                _add_rule(seen, module)
                found.append(seen)
    return found


def strides_of(network: nn.Module) -> tuple[float, ...]:
    """The strides that a neck, a backbone or a set of anchors of a network says it has, finest first."""
    for _, module in sorted(network.named_modules(), key=lambda pair: _nearness(pair[0])):
        for value in (module, *vars(module).values()):
            strides = getattr(value, "strides", None)
            if isinstance(strides, (tuple, list)) and strides and all(isinstance(s, (int, float)) for s in strides):
                return tuple(sorted(float(s) for s in strides))
    return ()


def _nearness(path: str) -> int:
    """How near a module is to the maps that the heads see: a neck, then a backbone, then all others."""
    return next((rank for rank, word in enumerate(("neck", "backbone")) if word in path), 2)


def _held(module: nn.Module) -> Iterator[tuple[str, Any]]:
    """What a module holds: itself, its attributes and buffers, and what readings and partial functions of ours hold."""
    yield "", module
    for name, value in {**vars(module), **dict(module.named_buffers(recurse=False))}.items():
        yield name, value
        waiting = [(value, INSIDE)]
        while waiting:
            outer, depth = waiting.pop()
            inner = _inside(outer) if depth else []
            yield from ((name, each) for each in inner)
            waiting += [(each, depth - 1) for each in inner]


def _inside(value: Any) -> list[Any]:
    if isinstance(value, partial):
        return [*value.args, *value.keywords.values()]
    if is_dataclass(value) and not isinstance(value, type):
        return [getattr(value, f.name, None) for f in fields(value)]
    return []


def _is_named(name: str) -> bool:
    return any(word in name.lower() for word in WORDS)


def _of_maker(value: Any, where: str) -> AnchorsSeen | None:
    sizes, ratios = getattr(value, "sizes", None), getattr(value, "aspect_ratios", getattr(value, "ratios", None))
    if _is_nested(sizes) and isinstance(ratios, (tuple, list)) and ratios and not hasattr(value, "scales"):
        by_level = ratios if isinstance(ratios[0], (tuple, list)) else [ratios] * len(sizes)
        shapes = [
            (size / np.sqrt(ratio), size * np.sqrt(ratio))
            for level, level_ratios in zip(sizes, by_level, strict=False)
            for ratio in level_ratios
            for size in level
        ]
        return AnchorsSeen(where, np.asarray(shapes, np.float64), "pixels")
    shapes_of = getattr(value, "shapes", None)
    if _is_nested(shapes_of) and hasattr(value, "strides"):
        return AnchorsSeen(where, np.asarray(shapes_of, np.float64).reshape(-1, 2), "pixels")
    pairs = getattr(value, "_wh_pairs", None)  # torchvision's maker of default boxes
    if isinstance(pairs, list) and pairs and all(isinstance(p, Tensor) for p in pairs):
        return AnchorsSeen(
            where, np.concatenate([p.detach().cpu().numpy() for p in pairs]).astype(np.float64), "shares"
        )
    if callable(shapes_of) and hasattr(value, "scales") and isinstance(getattr(value, "ratios", None), tuple):
        levels = [shapes_of(level).numpy() for level in range(len(value.ratios))]
        return AnchorsSeen(where, np.concatenate(levels).astype(np.float64), "shares")
    return None


def _is_nested(value: Any) -> TypeGuard[Sequence[Any]]:
    return isinstance(value, (tuple, list)) and bool(value) and all(isinstance(v, (tuple, list)) and v for v in value)


def _of_table(value: Any, where: str) -> AnchorsSeen | None:
    rows = value.detach().cpu().numpy() if isinstance(value, Tensor) else value
    try:
        table = np.asarray(rows, np.float64)
    except (TypeError, ValueError):
        return None
    if table.ndim < 2 or table.shape[-1] not in (2, 4) or not np.isfinite(table).all():
        return None
    table = table.reshape(-1, table.shape[-1])
    shapes = table if table.shape[1] == 2 else _sides(table)
    shapes = np.unique(np.round(shapes, 4), axis=0) if shapes is not None else None
    usable = shapes is not None and 0 < len(shapes) <= SHAPES_MOST and bool(np.all(shapes > 0))
    return AnchorsSeen(where, shapes, "unknown") if usable and shapes is not None else None


def _sides(table: np.ndarray) -> np.ndarray | None:
    """Widths and heights of boxes that are corners, all of them; None where some are not."""
    sides = table[:, 2:] - table[:, :2]
    return sides if len(sides) and bool(np.all(sides > 0)) else None


def _add_rule(seen: AnchorsSeen, module: nn.Module) -> None:
    """How the module that holds the anchors matches them, where it says so."""
    for rule in _rules(module):
        positive = getattr(rule, "positive", None)
        if isinstance(positive, float):
            seen.positive, seen.low_quality = positive, bool(getattr(rule, "low_quality", False))
            return


def _rules(module: nn.Module) -> Iterator[Any]:
    for value in vars(module).values():
        yield value
        yield getattr(value, "matching", None)
