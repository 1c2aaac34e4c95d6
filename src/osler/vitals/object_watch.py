"""The objects that a detector is taught, as its loaders give them and as it is called with them.

A batch is read when a network is called after it, in the first pass of its loader; after some batches without objects
nothing is looked at any more.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from torch import Tensor, nn

from osler.vitals.anchors_seen import anchors_of, strides_of
from osler.vitals.call_watch import CallWatch, tensors_in
from osler.vitals.evidence import LoaderSeen, Moment
from osler.vitals.loader_watch import LoaderWatch
from osler.vitals.object_evidence import ObjectsSeen, PictureObjects
from osler.vitals.object_targets import (
    OBJECTS_MOST,
    Found,
    counted_of,
    labels_of,
    mask_boxes_of,
    name_of,
    numbers,
    targets_in,
)
from osler.vitals.sites import persons_site
from osler.vitals.state import State

TRIED = 20  # batches, or calls, without objects after which there are none
CHANNELS = 4  # more are a map, not a picture
PICTURES_KEPT = 1_000  # of each moment and giver
OTHER_SIZES = ("orig_size", "original_size", "scale", "scale_factor", "ori_shape")
WITH_MASKS = 100  # pictures whose masks are read


class ObjectWatch:
    """All objects of a program, where it has any."""

    def __init__(self, state: State, calls: CallWatch, loaders: LoaderWatch) -> None:
        self._state = state
        calls.listeners.append(self.called)
        loaders.listeners.append(self.gave)
        self._pending: tuple[Any, LoaderSeen] | None = None
        self._fruitless = {"loader": 0, "call": 0}
        self._kept: Counter[tuple[str, str]] = Counter()
        self._first: dict[tuple[Any, ...], LoaderSeen] = {}
        self._masks = 0
        self._batch = 0

    def gave(self, loader: LoaderSeen, batch: Any) -> None:
        """A loader gave a batch; what is in it is read at the next call of a network."""
        self._pending = (batch, loader)

    def called(self, module: nn.Module, args: Any, kwargs: Any, output: Any, learns: bool) -> None:
        """A network was called from outside."""
        moment: Moment = "train" if learns else "evaluate"
        pending, self._pending = self._pending, None
        first = pending is None or self._is_first(pending[1])
        if first and self._wanted("call", moment) and (args or kwargs):
            found = self._look("call", (*args, *kwargs.values()))
            if found is not None:
                seen = self._seen(found)
                seen.consumers.add(f"{type(module).__module__}.{type(module).__qualname__}")
                seen.site = seen.site or persons_site()
                self._keep(seen, found, moment, "call")
        if pending is not None and first:
            self._read(pending, moment)
        if (objects := self._state.evidence.objects) is not None and not objects.strides:
            objects.strides = _strides((*args, *kwargs.values()), output)

    def finish(self, networks: Sequence[nn.Module]) -> None:
        """Adds the anchors and strides that the networks hold."""
        if self._pending is not None and not self._kept["loader", "train"]:
            self._read(self._pending, "train")  # a batch at which the program came to its end, perhaps by its objects
        objects = self._state.evidence.objects
        if objects is None or objects.form == "data":
            return
        objects.anchors = []
        for network in networks:
            if type(network).__module__.startswith("osler.models.detection"):  # taught by `losses`, which is no call
                objects.consumers.add(f"{type(network).__module__}.{type(network).__qualname__}")
            try:
                objects.anchors += anchors_of(network)
                objects.strides = objects.strides or strides_of(network)
            except Exception as error:  # an attribute of the person's that cannot even be read
                self._state.troubles[f"anchors: {type(error).__name__}: {error}"[:300]] += 1

    def _read(self, pending: tuple[Any, LoaderSeen], moment: Moment) -> None:
        """What a loader gave."""
        batch, loader = pending
        found = self._look("loader", batch) if self._wanted("loader", moment) else None
        if found is not None:
            seen = self._seen(found)
            seen.site = loader.site or seen.site
            self._keep(seen, found, moment, "loader")

    def _is_first(self, loader: LoaderSeen) -> bool:
        """Whether this is a loader's first pass; one that is made anew for every epoch counts as one."""
        alike = (loader.site, loader.samples, loader.dataset)
        return loader.passes <= 1 and self._first.setdefault(alike, loader) is loader

    def _wanted(self, by: str, moment: Moment) -> bool:
        return self._fruitless[by] < TRIED and self._kept[by, moment] < PICTURES_KEPT

    def _look(self, by: str, value: Any) -> Found | None:
        found = targets_in(value)
        known = self._state.evidence.objects
        if found is None or (known is not None and known.form != found.form):
            if not any(self._kept[by, moment] for moment in ("train", "evaluate")):
                self._fruitless[by] += 1
            return None
        return found

    def _seen(self, found: Found) -> ObjectsSeen:
        evidence = self._state.evidence
        if evidence.objects is None:
            evidence.objects = ObjectsSeen(found.form)
        return evidence.objects

    def _keep(self, seen: ObjectsSeen, found: Found, moment: Moment, by: Any) -> None:
        self._batch += 1
        for place, (target, size) in enumerate(zip(found.targets, found.sizes, strict=True)):
            given = numbers(target["boxes"])
            boxes = np.zeros((0, 4)) if given is None else given.astype(np.float64).reshape(-1, 4)
            count, masks = len(boxes), None
            if count and size is not None and boxes.max() > max(size) and any(key in target for key in OTHER_SIZES):
                size = None  # the boxes are those of a picture of another size, and the target says of which
            if "masks" in target and self._masks < WITH_MASKS:
                self._masks += 1
                masks = mask_boxes_of(target, count, size)
            labels, kept = labels_of(target, count), slice(0, OBJECTS_MOST)
            seen.pictures.append(
                PictureObjects(
                    boxes[kept],
                    None if labels is None else labels[kept],
                    size,
                    counted_of(target, count)[kept],
                    None if masks is None else masks[kept],
                    name_of(target, place, self._batch),
                    moment,
                    by,
                )
            )
            self._kept[by, moment] += 1


def _strides(given: Any, output: Any) -> tuple[float, ...]:
    """Pixels of the picture for a position of each map that a network gives, finest first; empty where it gives none."""
    picture = next((t for t in tensors_in(given) if t.ndim in (3, 4) and t.shape[-3] <= CHANNELS), None)
    if picture is None:
        return ()
    height, width = picture.shape[-2:]
    grids = [g for t in list(tensors_in(output))[:12] if (g := _grid(t)) is not None]
    even = {
        height / g[0] for g in grids if height % g[0] == 0 and width % g[1] == 0 and height // g[0] == width // g[1]
    }
    return tuple(sorted(even))


def _grid(tensor: Tensor) -> tuple[int, int] | None:
    """Rows and columns of a map [batch, channels, rows, columns], or [batch, anchors, rows, columns, numbers]."""
    if tensor.ndim not in (4, 5):
        return None
    rows, columns = tensor.shape[2:4]
    return (rows, columns) if min(rows, columns) >= 2 else None
