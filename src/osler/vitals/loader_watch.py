"""DataLoaders: how they were made, how often they began anew, and what they gave last."""

import functools
import weakref
from collections.abc import Callable
from typing import Any

from torch.utils.data import DataLoader
from torch.utils.data import dataloader as torch_dataloader

from osler.vitals import events
from osler.vitals.call_watch import CallWatch, tensors_in
from osler.vitals.evidence import LoaderSeen, Site
from osler.vitals.sites import persons_site
from osler.vitals.state import Patches, State

LOADERS_HELD = 8


class LoaderWatch:
    """All loaders of a program. They are never iterated here: even a look would draw random numbers."""

    def __init__(self, state: State, calls: CallWatch) -> None:
        self._state, self._calls = state, calls
        self._made_at: weakref.WeakKeyDictionary[Any, Site] = weakref.WeakKeyDictionary()
        self._held: list[Any] = []  # the first loaders are kept, or those made in a function would be gone at the end
        self.seen: weakref.WeakKeyDictionary[Any, LoaderSeen] = weakref.WeakKeyDictionary()
        self._of: weakref.WeakKeyDictionary[Any, LoaderSeen] = weakref.WeakKeyDictionary()
        self.listeners: list[Callable[[LoaderSeen, Any], None]] = []  # told of every batch

    def install(self, patches: Patches) -> None:
        """From now on loaders and their batches are seen."""
        guarded = self._state.guarded
        made, began, gave = guarded(self._made), guarded(self._began), guarded(self._gave)

        def wrap_init(original: Any) -> Any:
            @functools.wraps(original)
            def __init__(loader: Any, *args: Any, **kwargs: Any) -> None:  # noqa: N807 (it stands for __init__)
                original(loader, *args, **kwargs)
                made(loader)

            return __init__

        def wrap_iter(original: Any) -> Any:
            @functools.wraps(original)
            def __iter__(loader: Any) -> Any:  # noqa: N807 (it stands for __iter__)
                iterator = original(loader)
                began(loader, iterator)
                return iterator

            return __iter__

        def wrap_next(original: Any) -> Any:
            @functools.wraps(original)
            def __next__(iterator: Any) -> Any:  # noqa: N807 (it stands for __next__)
                batch = original(iterator)
                gave(iterator, batch)
                return batch

            return __next__

        patches.replace(DataLoader, "__init__", wrap_init)
        patches.replace(DataLoader, "__iter__", wrap_iter)
        patches.replace(torch_dataloader._BaseDataLoaderIter, "__next__", wrap_next)

    def _made(self, loader: Any) -> None:
        if (site := persons_site()) is not None:
            self._made_at.setdefault(loader, site)

    def _began(self, loader: Any, iterator: Any) -> None:
        seen = self.seen.get(loader)
        if seen is None:
            seen = self.seen[loader] = _describe(loader, self._made_at.get(loader))
            self._state.evidence.loaders.append(seen)
            if len(self._held) < LOADERS_HELD:
                self._held.append(loader)
        seen.passes += 1
        self._of[iterator] = seen
        self._state.event(events.EPOCH)

    def _gave(self, iterator: Any, batch: Any) -> None:
        seen = self._of.get(iterator)
        if seen is not None:
            seen.batches += 1
            self._calls.last_batch = (seen, list(tensors_in(_without_targets(batch)))[:6])
            for listener in self.listeners:
                listener(seen, batch)


def _without_targets(batch: Any) -> Any:
    """The batch less its lists of dictionaries: the objects of each picture are no labels of samples."""
    if not isinstance(batch, (list, tuple)):
        return batch
    return [p for p in batch if not (isinstance(p, (list, tuple)) and p and all(isinstance(v, dict) for v in p))]


def _describe(loader: Any, site: Site | None) -> LoaderSeen:
    try:
        samples: int | None = len(loader.dataset)
    except (TypeError, NotImplementedError):
        samples = None
    dataset = loader.dataset
    inner = dataset
    while hasattr(inner, "dataset"):
        inner = inner.dataset
    return LoaderSeen(
        site,
        samples,
        loader.batch_size,
        type(loader.sampler).__name__,
        bool(loader.drop_last),
        int(loader.num_workers),
        type(dataset).__name__ if inner is dataset else f"{type(dataset).__name__} of {type(inner).__name__}",
        transforms=repr(getattr(inner, "transform", ""))[:2_000],
    )
