"""A trained network made smaller: its weights in eight bits, half of its filters, or a small one taught by it.

What each way saves in bytes and what it costs in accuracy on the digits. The third is in `distillation`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import nn

from osler.lab.filter_chain import filter_layers, narrowed
from osler.lab.int8_weights import stored_bytes, with_int8_weights
from osler.lab.plain_training import accuracy_of, adam, fit
from osler.lab.searched_networks import network
from osler.lab.small_sets import digits
from osler.lab.speed_ups import folded

PLAN = (16, 2, 32, 2, 64, 1)  # widths and depths of the network in turn


@dataclass(frozen=True, slots=True)
class Compressed:
    """A network before and after."""

    way: str
    stored: tuple[int, int]  # bytes, norms folded
    filters: tuple[int, int]
    accuracy: tuple[float, float]  # on digits that no training saw

    @property
    def size(self) -> float:
        """Of the compressed network, as a share."""
        return self.stored[1] / self.stored[0]

    @property
    def drop(self) -> float:
        """Of the accuracy; below 0 where it rose."""
        return self.accuracy[0] - self.accuracy[1]


def compressed_digits(*, kept: float = 0.5, seed: int = 0) -> list[Compressed]:
    """The same trained network with int8 weights, pruned, pruned and trained on, and with all of that.

    Args:
        kept: share of each layer's filters that pruning leaves.
        seed: of the network and its training.
    """
    data = digits(1200)
    trained = fit(network(PLAN, seed=seed), data.x, data.y, epochs=4, batch=50, optimizer=adam(3e-3), seed=seed)
    cut = narrowed(trained, kept)
    mended = fit(narrowed(trained, kept), data.x, data.y, epochs=3, batch=50, optimizer=adam(3e-3), seed=seed)

    def compared(way: str, after: nn.Module) -> Compressed:
        both = folded(trained), after
        scores = [accuracy_of(model, data.x_test, data.y_test) for model in both]
        stored, filters = ([count(model) for model in both] for count in (stored_bytes, _filters))
        return Compressed(way, (stored[0], stored[1]), (filters[0], filters[1]), (scores[0], scores[1]))

    return [
        compared("int8 weights", with_int8_weights(trained)),
        compared("pruned", folded(cut)),
        compared("pruned and trained on", folded(mended)),
        compared("pruned, trained on, int8", with_int8_weights(mended)),
    ]


def compression_table(rows: Sequence[Compressed]) -> str:
    """The rows to be read."""
    lines = [f"{'way':<25} {'bytes':>18} {'size':>6} {'filters':>10} {'accuracy, %':>14} {'drop':>6}"]
    for row in rows:
        stored = " -> ".join(f"{size:,}" for size in row.stored)
        filters = " -> ".join(str(count) for count in row.filters)
        accuracy = " -> ".join(f"{100 * share:.2f}" for share in row.accuracy)
        lines.append(f"{row.way:<25} {stored:>18} {row.size:>6.3f} {filters:>10} {accuracy:>14} {100 * row.drop:>6.2f}")
    return "\n".join(lines)


def _filters(model: nn.Module) -> int:
    convs = [model.get_submodule(layer.name) for layer in filter_layers(model)]
    return sum(conv.out_channels for conv in convs if isinstance(conv, nn.Conv2d))
