"""Objects in what a loader gives or a network is called with: dictionaries of boxes and labels, or tables of rows.

Tables are known with care: a batch of pictures must stand beside them, one column must hold whole numbers and the others
must not. Nothing is computed in place, and nothing is kept that belongs to the program.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from osler.vitals.object_evidence import NOT_LOOKED_AT

BOX_KEYS = ("boxes", "bboxes", "bbox")
LABEL_KEYS = ("labels", "category_id", "class_labels", "classes")
FLAG_KEYS = ("iscrowd", "crowd", "difficult", "ignored", "ignore")
OBJECTS_MOST = 500  # of a picture
MASKS_MOST = 16  # of a picture
DEPTH = 3
Form = Literal["dictionaries", "rows"]


@dataclass(slots=True)
class Found:
    """The targets of a batch: a mapping for each picture, still holding the program's own tensors."""

    form: Form
    targets: list[Mapping[str, Any]]
    sizes: list[tuple[int, int] | None]


def targets_in(value: Any) -> Found | None:
    """The objects in a batch or in the arguments of a call; None where there are none."""
    parts = _parts(value)
    sizes = _sizes(parts)
    for part in parts:
        mappings = _mappings(part, DEPTH)
        if mappings is not None:
            return Found("dictionaries", mappings, sizes if len(sizes) == len(mappings) else [None] * len(mappings))
    if sizes:
        for part in parts[1:]:
            rows = _tables(part, len(sizes))
            if rows is not None:
                return Found("rows", rows, sizes)
    return None


def numbers(value: Any) -> np.ndarray | None:
    """A tensor or array as an array of its own; None for anything else."""
    if isinstance(value, Tensor):
        with torch.no_grad():
            kept = value.detach()
            return (kept.float() if kept.dtype == torch.bfloat16 else kept).cpu().numpy().copy()
    return value.copy() if isinstance(value, np.ndarray) else None


def labels_of(target: Mapping[str, Any], count: int) -> np.ndarray | None:
    """The class of each object."""
    found = next((numbers(target[k]) for k in LABEL_KEYS if k in target), None)
    if found is None or found.size != count or found.dtype.kind not in "iub":
        return None
    return found.reshape(-1).astype(np.int64)


def counted_of(target: Mapping[str, Any], count: int) -> np.ndarray:
    """Which objects are neither crowds nor difficult."""
    counted = np.ones(count, bool)
    for key in FLAG_KEYS:
        flags = numbers(target.get(key))
        if flags is not None and flags.size == count:
            counted &= flags.reshape(-1) == 0
    return counted


def mask_boxes_of(target: Mapping[str, Any], count: int, size: tuple[int, int] | None) -> np.ndarray | None:
    """The corners of the pixels of the first masks; None where there are none of the picture's size."""
    masks = target.get("masks")
    if not isinstance(masks, (Tensor, np.ndarray)) or masks.ndim != 3 or len(masks) != count or not count:
        return None
    if size is None or tuple(masks.shape[1:]) != size:
        return None
    boxes = np.full((count, 4), NOT_LOOKED_AT)
    for place in range(min(count, MASKS_MOST)):
        mask = numbers(masks[place])
        assert mask is not None
        inside = mask > (0.5 if mask.dtype.kind == "f" else 0)
        rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
        boxes[place] = (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1) if len(rows) else np.nan
    return boxes


def name_of(target: Mapping[str, Any], place: int, batch: int) -> str:
    """What the picture is called: its own number or path where the target holds one."""
    for key in ("image_id", "path", "file_name", "image_path"):
        value = target.get(key)
        if isinstance(value, str):
            return value
        if isinstance(value, (Tensor, np.ndarray)) and np.prod(value.shape) == 1:
            return f"the picture with {key} {value.reshape(-1)[0].item()}"
        if isinstance(value, int):
            return f"the picture with {key} {value}"
    return f"picture {place + 1} of batch {batch}"


def _parts(value: Any) -> list[Any]:
    if isinstance(value, Mapping):
        return [value, *value.values()] if not _box_key(value) else [*_others(value), value]
    if isinstance(value, (list, tuple)):
        return [value, *value] if value and all(isinstance(v, Mapping) for v in value) else list(value)
    return [vars(value)] if hasattr(value, "__dataclass_fields__") and hasattr(value, "__dict__") else []


def _others(value: Mapping[str, Any]) -> list[Any]:
    return [v for k, v in value.items() if k not in BOX_KEYS]


def _sizes(parts: Sequence[Any]) -> list[tuple[int, int] | None]:
    """Heights and widths of the pictures among the parts."""
    for part in parts:
        if isinstance(part, Tensor) and part.ndim == 4 and part.shape[1] <= 16:
            return [(part.shape[2], part.shape[3])] * len(part)
        pictures = isinstance(part, (list, tuple)) and len(part) and all(isinstance(p, Tensor) for p in part)
        if pictures and all(p.ndim == 3 and p.shape[0] <= 16 for p in part):
            return [(p.shape[1], p.shape[2]) for p in part]
    return []


def _box_key(value: Mapping[str, Any]) -> str | None:
    return next((k for k in BOX_KEYS if k in value), None)


def _mappings(value: Any, depth: int) -> list[Mapping[str, Any]] | None:
    """A mapping with boxes for each picture, the boxes under the name `boxes`."""
    if isinstance(value, Mapping):
        key = _box_key(value)
        return _of_batch(value, key) if key is not None else None
    if not isinstance(value, (list, tuple)) or not value:
        return None
    if all(isinstance(v, Mapping) and _box_key(v) for v in value):
        found: list[Mapping[str, Any]] = [{**v, "boxes": v[_box_key(v) or ""]} for v in value]
        return found if all(_are_boxes(v["boxes"]) for v in found) else None
    return next((f for f in (_mappings(v, depth - 1) for v in value) if f is not None), None) if depth > 1 else None


def _of_batch(value: Mapping[str, Any], key: str) -> list[Mapping[str, Any]] | None:
    """The pictures of a dictionary that holds a list, or a tensor [batch, objects, 4], under each name."""
    boxes = value[key]
    listed = isinstance(boxes, (list, tuple)) and len(boxes) and all(_are_boxes(b) for b in boxes)
    padded = isinstance(boxes, Tensor) and boxes.ndim == 3 and boxes.shape[2] == 4
    if not (listed or padded):
        return None
    count = len(boxes)
    held = {k: v for k, v in value.items() if isinstance(v, (list, tuple, Tensor)) and _length(v) == count}
    return [{"boxes": boxes[i], **{k: v[i] for k, v in held.items() if k != key}} for i in range(count)]


def _length(value: Any) -> int:
    return -1 if isinstance(value, Tensor) and not value.ndim else len(value)


def _are_boxes(value: Any) -> bool:
    return isinstance(value, (Tensor, np.ndarray)) and value.ndim == 2 and (value.shape[1] == 4 or not value.shape[0])


def _tables(value: Any, pictures: int) -> list[Mapping[str, Any]] | None:
    """Rows of class and box as a mapping for each picture."""
    if isinstance(value, Tensor) and value.ndim == 2 and value.shape[1] == 6 and value.is_floating_point():
        return _of_numbered(_finite(value), pictures)
    tables = list(_single_tables(value)) if isinstance(value, (list, tuple, Tensor)) else []
    if len(tables) != pictures or any(t is None for t in tables):
        return None
    known = [t for t in tables if t is not None]
    every = np.concatenate(known) if known else np.zeros((0, 5))
    every = every[np.any(every != 0, axis=1)]
    column = next(
        (c for c in (0, 4) if len(every) and _is_class(every[:, c]) and _is_place(np.delete(every, c, 1))), None
    )
    return None if column is None else [_mapping(t[:, column], np.delete(t, column, 1)) for t in known]


def _single_tables(value: Any) -> Iterator[np.ndarray | None]:
    for part in value:
        fits = isinstance(part, Tensor) and part.ndim == 2 and part.shape[1] == 5 and part.is_floating_point()
        yield _finite(part) if fits else None


def _of_numbered(rows: np.ndarray | None, pictures: int) -> list[Mapping[str, Any]] | None:
    if rows is None or not len(rows):
        return None
    number = rows[:, 0]
    inside = _is_class(number) and np.all(np.diff(number) >= 0) and number[-1] < pictures
    if not (inside and _is_class(rows[:, 1]) and _is_place(rows[:, 2:])):
        return None
    return [_mapping(rows[number == k, 1], rows[number == k, 2:]) for k in range(pictures)]


def _finite(value: Tensor) -> np.ndarray | None:
    found = numbers(value)
    return None if found is None or not np.isfinite(found).all() else found.astype(np.float64)


def _is_class(column: np.ndarray) -> bool:
    return bool(np.all(column == np.round(column)) and column.min() >= -1 and column.max() < 10_000)


def _is_place(columns: np.ndarray) -> bool:
    """Whether these may be boxes: most rows hold a fraction, or a number that no flag has, and have a size."""
    told = np.any((columns != np.round(columns)) | (np.abs(columns) > 1), axis=1)
    return bool(len(columns) and told.mean() > 0.5 and np.all(columns[:, 2:] > 0, axis=1).mean() > 0.5)


def _mapping(labels: np.ndarray, boxes: np.ndarray) -> Mapping[str, Any]:
    return {"boxes": boxes, "labels": labels.astype(np.int64)}
