"""Which samples make which batch: a function of the seed, the epoch and the process, and of nothing else."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Int

from osler.data.randomness import Stream, generator
from osler.structures.errors import DataError

OrderKind = Literal["shuffle", "sequential", "balanced"]


class BatchKey(NamedTuple):
    """A batch before it is read: what a loader process must know to make it."""

    epoch: int
    rows: list[int]
    repeats: list[int]  # how often each row was drawn before in this epoch; 0 unless drawn with replacement


@dataclass(frozen=True)
class Order:
    """The order of samples in an epoch, cut into batches for one of several processes.

    Training orders (shuffle, balanced): batch k of all processes together is the global batch k of world x batch_size
    samples; every process gets as many batches as the others, so that none waits for ever. What remains is a smaller
    global batch, left out where it could not give every process a sample, or by `drop_last` (unless it is all there
    is). Where it would give a process a single sample, over which batch norm has no variance, it joins the batch before.

    sequential: every sample once over all processes, none padded or repeated; a process may have a batch less than
        another.
    """

    targets: np.ndarray
    kind: OrderKind
    batch_size: int  # per process
    seed: int
    drop_last: bool = False
    rank: int = 0
    world: int = 1

    def __post_init__(self) -> None:
        if self.kind == "balanced" and self.targets.ndim != 1:
            raise DataError(
                "data.sampler=balanced needs one class a picture; these have several labels or numbers. Use shuffle."
            )
        if self.kind != "sequential" and len(self.targets) < self.world:
            raise DataError(f"{len(self.targets)} training pictures are fewer than the {self.world} processes.")

    def __len__(self) -> int:
        """Batches of this process in an epoch."""
        if self.kind == "sequential":
            return -(-len(range(self.rank, len(self.targets), self.world)) // self.batch_size)
        whole, rest = divmod(len(self.targets), self.world * self.batch_size)
        if whole == 0:
            return int(rest >= self.world)
        return whole + (rest >= 2 * self.world and not self.drop_last)

    @property
    def _used(self) -> int:
        """How many samples an epoch has over all processes."""
        whole, rest = divmod(len(self.targets), self.world * self.batch_size)
        left_out = rest if whole and (self.drop_last or rest < self.world) else 0
        return len(self.targets) - left_out

    def rows(self, epoch: int) -> Int[np.ndarray, " samples"]:
        """The rows of an epoch in order, over all processes."""
        n = len(self.targets)
        if self.kind == "sequential":
            return np.arange(n)
        random = generator(self.seed, Stream.ORDER, epoch)
        return random.permutation(n) if self.kind == "shuffle" else balanced_rows(self.targets, random)

    def batches(self, epoch: int, start: int = 0) -> Iterator[BatchKey]:
        """The batches of this process in an epoch, from number `start` on."""
        rows = self.rows(epoch)
        repeats = earlier_draws(rows) if self.kind == "balanced" else np.zeros_like(rows)
        for k in range(start, len(self)):
            place = self._place(k)
            yield BatchKey(epoch, rows[place].tolist(), repeats[place].tolist())

    def _place(self, k: int) -> slice:
        """Where this process's batch k lies in the epoch: every world-th sample of the global batch, from `rank` on."""
        size = self.world * self.batch_size
        if self.kind == "sequential":
            return slice(k * size + self.rank, min((k + 1) * size, len(self.targets)), self.world)
        end = self._used if k == len(self) - 1 else (k + 1) * size
        return slice(k * size + self.rank, end, self.world)


def balanced_rows(targets: Int[np.ndarray, " samples"], random: np.random.Generator) -> Int[np.ndarray, " samples"]:
    """As many rows as there are, drawn with replacement, each class equally often (to within one)."""
    classes = np.unique(targets)
    share, rest = divmod(len(targets), len(classes))
    extra = set(random.permutation(len(classes))[:rest].tolist())
    drawn = [
        random.choice(np.flatnonzero(targets == label), share + (i in extra))
        for i, label in enumerate(classes.tolist())
    ]
    return random.permutation(np.concatenate(drawn))


def earlier_draws(rows: Int[np.ndarray, " draws"]) -> Int[np.ndarray, " draws"]:
    """How often the row of each draw was drawn before."""
    ordered = np.argsort(rows, kind="stable")
    new = np.r_[True, np.diff(rows[ordered]) != 0]
    first = np.maximum.accumulate(np.where(new, np.arange(len(rows)), 0))
    earlier = np.empty_like(rows)
    earlier[ordered] = np.arange(len(rows)) - first
    return earlier
