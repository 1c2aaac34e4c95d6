"""Does the design fit the task? The kind of network asked about beside the other kind, on the same pictures (row TD12).

A fully connected network must learn every place of a thing anew; a convolutional one takes for granted that neighbours
belong together. Which of the two is wrong for a set shows in what each makes of the same few samples.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from jaxtyping import Float, Int
from torch import Tensor

from osler.lab.plain_training import accuracy_of, fit
from osler.lab.remedy_table import judged
from osler.lab.where_convolution_fits import NETWORKS

Kind = Literal["convolutional", "fully connected"]


@dataclass(frozen=True, slots=True)
class Design:
    """Held-out accuracies by seed of the kind asked about and of the other one."""

    kind: Kind
    accuracies: tuple[float, ...]
    other: Kind
    of_other: tuple[float, ...]

    @property
    def fits(self) -> bool:
        """False where the other kind is better by two points in the mean and for every seed."""
        return judged([b - a for a, b in zip(self.accuracies, self.of_other, strict=True)]) != "helps"


def probe_design(
    kind: Kind,
    pictures: Float[Tensor, "samples 1 side side"],
    labels: Int[Tensor, " samples"],
    *,
    held: int,
    epochs: int = 12,
    seeds: Sequence[int] = (0, 1),
) -> Design:
    """Trains both kinds on all but the last `held` pictures and judges them on those.

    Pictures are square, their side a multiple of 4; labels are ten classes at most.
    """
    other: Kind = "fully connected" if kind == "convolutional" else "convolutional"
    x, y, side = pictures[:-held], labels[:-held], pictures.shape[-1]

    def accuracies(name: Kind) -> tuple[float, ...]:
        models = [fit(NETWORKS[name](side, seed=s), x, y, epochs=epochs, batch=32, seed=s) for s in seeds]
        return tuple(accuracy_of(m, pictures[-held:], labels[-held:]) for m in models)

    return Design(kind, accuracies(kind), other, accuracies(other))
