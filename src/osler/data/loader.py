"""The loader: batches of a data set, epoch by epoch, read here or by processes of its own."""

import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from types import FrameType
from typing import Any, TypedDict, Unpack

import cv2
import torch
from torch.utils.data import DataLoader, Sampler

from osler.data.order import BatchKey, Order, OrderKind
from osler.data.reading import BatchReader, Collate, Reading
from osler.data.source import DataSet, Skipped
from osler.imaging.transform import SampleTransform
from osler.structures.batch import Batch
from osler.structures.errors import DataError


class LoaderOptions(TypedDict, total=False):
    """What a loader may be told beside its data."""

    workers: int  # processes that read ahead; 0: this one reads when asked. Default 0
    drop_last: bool  # training orders: leave out an epoch's smaller last batch. Default False
    rank: int  # which of several training processes this is. Default 0
    world: int  # how many training processes there are. Default 1
    unreadable: float  # share of the data set's pictures that may be unreadable. Default 0.1


class Loader:
    """Batches of transformed samples, the same for a seed and an epoch whatever the number of workers.

    Unreadable pictures are left out of their batch and listed in `skipped`, each once; a batch left empty is not given.

    >>> loader = Loader(source.train, transform=augment, collate=task.collate, batch_size=128, seed=0, order="shuffle")
    >>> for batch in loader.epoch(3, start=40): ...  # resumes after 40 batches of epoch 3; these are not decoded
    """

    def __init__(
        self,
        dataset: DataSet,
        *,
        transform: SampleTransform,
        collate: Collate,
        batch_size: int,
        seed: int,
        order: OrderKind,
        **options: Unpack[LoaderOptions],
    ) -> None:
        """`batch_size` is this process's. `transform` and `collate` must be picklable where processes are spawned."""
        self.dataset = dataset
        self.workers = options.get("workers", 0)
        self.unreadable = options.get("unreadable", 0.1)
        self.order = Order(
            dataset.targets, order, batch_size, seed,
            options.get("drop_last", False), options.get("rank", 0), options.get("world", 1),
        )  # fmt: skip
        self._reader = BatchReader(dataset, transform, collate, seed)
        self._keys = _Keys()
        self._processes: DataLoader[Any] | None = None
        self._skipped: dict[str, Skipped] = {}

    def __len__(self) -> int:
        """Batches of this process in an epoch, if all pictures can be read."""
        return len(self.order)

    @property
    def batch_size(self) -> int:
        """Samples in a batch of this process. Set, it counts from the next call of `epoch`."""
        return self.order.batch_size

    @batch_size.setter
    def batch_size(self, size: int) -> None:
        self.order = replace(self.order, batch_size=size)

    @property
    def skipped(self) -> list[Skipped]:
        """The pictures that could not be read so far."""
        return list(self._skipped.values())

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """The batches of an epoch from number `start` on. One epoch at a time.

        Raises:
            DataError: more pictures are unreadable than is allowed; the first are named.
        """
        return (batch for batch in self.planned(epoch, start) if batch is not None)

    def planned(self, epoch: int, start: int = 0) -> Iterator[Batch | None]:
        """As `epoch`, with None in the place of each batch left empty: what comes k-th is the plan's batch `start` + k."""
        for reading in self._readings(epoch, start):
            if reading.error is not None:
                raise reading.error
            self._note(reading)
            yield reading.batch

    def close(self) -> None:
        """Ends the loader's processes; a later epoch starts new ones."""
        self._processes = None

    def _readings(self, epoch: int, start: int) -> Iterator[Reading]:
        if self.workers == 0:
            return (self._reader[key] for key in self.order.batches(epoch, start))
        if self._processes is None:
            self._processes = self._start()
        self._keys.turn(self.order, epoch, start)
        return iter(self._processes)

    def _start(self) -> "DataLoader[Any]":
        return _Processes(
            self._reader,  # type: ignore[arg-type]  # indexed by a BatchKey, which torch passes on as it is
            batch_size=None,
            sampler=self._keys,
            num_workers=self.workers,
            collate_fn=_unchanged,  # type: ignore[arg-type]
            worker_init_fn=_settle_in,
            persistent_workers=True,
            generator=torch.Generator(),  # torch would draw a seed from the global generator, which is the training's
        )

    def _note(self, reading: Reading) -> None:
        for skipped in reading.skipped:
            self._skipped.setdefault(skipped.path, skipped)
        count, total = len(self._skipped), len(self.order.targets)
        if reading.skipped and count > self.unreadable * total:
            first = "; ".join(s.reason for s in self.skipped[:3])
            raise DataError(
                f"{count} of {total} pictures cannot be read, more than data.unreadable={self.unreadable:g} allows. "
                f"The first: {first} osler data names them all."
            )
        if reading.batch is None and self.order.kind != "sequential" and self.order.world > 1:
            raise DataError("No picture of a batch can be read: " + "; ".join(s.reason for s in reading.skipped[:3]))


class _Processes(DataLoader[Any]):
    """torch's loader, without its remark on more workers than cores: who asks for them has reasons."""

    def check_worker_number_rationality(self) -> None:
        """Nothing to say."""


class _Keys(Sampler[BatchKey]):
    """The keys of the epoch that is being asked for, in the way in which torch asks."""

    def __init__(self) -> None:
        self._epoch: tuple[Order, int, int] | None = None

    def turn(self, order: Order, epoch: int, start: int) -> None:
        self._epoch = order, epoch, start

    def __iter__(self) -> Iterator[BatchKey]:
        assert self._epoch is not None
        order, epoch, start = self._epoch
        return order.batches(epoch, start)

    def __len__(self) -> int:
        assert self._epoch is not None
        return max(0, len(self._epoch[0]) - self._epoch[2])


def _unchanged(reading: Reading) -> Reading:
    return reading


def _settle_in(_: int) -> None:
    """A loader process: one thread, and signals left to the training, which ends its loaders when it ends."""
    cv2.setNumThreads(0)
    torch.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _wait_for_another)


def _wait_for_another(number: int, frame: FrameType | None) -> None:
    """The first SIGTERM is the training's to answer, also where it was sent to all processes of a job.

    The second ends this one: whoever leaves without having closed its loaders sends their processes another.
    """
    signal.signal(signal.SIGTERM, _leave)


def _leave(number: int, frame: FrameType | None) -> None:
    os._exit(0)  # as torch's own handler does: an end by a signal would be an error to the training
