"""The graph of a loss, read as a network: which layers with weights feed which, and what stands between them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from osler.vitals.evidence import GraphNode

Kind = Literal["linear", "convolution", "embedding"]

PRODUCTS = ("Addmm", "Mm", "Linear", "Bmm", "Baddbmm", "Addbmm", "Mv", "Addmv", "MkldnnLinear", "MatmulBackward")
CONVOLUTIONS = ("Convolution", "MkldnnConvolution", "CudnnConvolution")
RECURRENT = ("Rnn", "Lstm", "Gru", "Mkldnn", "Cudnn", "ThnnFused")
# what changes only the order or the number type of values
RESHAPING = (
    "View", "Reshape", "UnsafeView", "Alias", "T", "Transpose", "Permute", "Expand", "Squeeze", "Unsqueeze", "Clone",
    "Contiguous", "ToCopy", "AsStrided", "Movedim", "Flatten", "Unflatten", "ReshapeAlias",
)  # fmt: skip
PARTS = ("Select", "Slice", "Split", "SplitWithSizes", "Chunk", "Unbind", "Narrow")
# ... and what is linear besides, of one input
LINEAR = (
    *RESHAPING, *PARTS, "Mean", "Sum", "AvgPool", "Neg", "AdaptiveAvgPool", "ConstantPadNd", "ReflectionPad", "ReplicationPad",
    "UpsampleNearest", "UpsampleNearestExact", "UpsampleBilinear", "PixelShuffle", "Flip", "Roll", "Repeat", "NativeDropout",
    "FeatureDropout",
)  # fmt: skip
NORMS_OF_BATCH = ("NativeBatchNorm", "CudnnBatchNorm", "BatchNormImpl", "MiopenBatchNorm", "NativeBatchNormLegit")
NORMS_OF_SAMPLE = ("NativeLayerNorm", "NativeGroupNorm", "FusedRmsNorm")
MAX_POOLING = ("MaxPool", "AdaptiveMaxPool", "FractionalMaxPool")
JOINING = ("Add", "Sub", "Cat", "Stack")
PASSED_TO_WEIGHTS = ("Div", "Mul", "Mv", "Dot", "WeightNormInterface", "LinalgVectorNorm", "Norm", "Sum")
PARTS_OF_NORMED = ("parametrizations", "weight_orig", "weight_g", "weight_v")


def stem(operation: str) -> str:
    """An operation's name without `Backward0`, and without where autograd keeps it."""
    return operation.rpartition("::")[2].partition("Backward")[0]


def is_one_of(operation: str, names: Sequence[str]) -> bool:
    """Whether the operation is one of these, or one of their forms for two or three dimensions."""
    name = stem(operation)
    return any(name == each or (name.startswith(each) and name[len(each) : len(each) + 1].isdigit()) for each in names)


@dataclass(frozen=True)
class Weighted:
    """A layer with weights, at one of its calls."""

    node: int
    kind: Kind
    layer: str
    parameter: str | None
    leaf: int  # the place of its weights
    shape: tuple[int, ...]  # of the weights
    transposed: bool  # whether the weights are [outputs, inputs]
    data: tuple[int, ...]  # what else it reads

    @property
    def outputs(self) -> int:
        """Width of its output: channels or units."""
        if len(self.shape) < 2:
            return 1
        return self.shape[0] if self.transposed or self.kind == "convolution" else self.shape[-1]

    @property
    def inputs(self) -> int:
        """Width of its input; of a grouped convolution that of a group."""
        if len(self.shape) < 2:
            return self.shape[0] if self.shape else 1
        return self.shape[1] if self.transposed or self.kind == "convolution" else self.shape[-2]


class LossGraph:
    """The operations under a loss, the loss first."""

    def __init__(self, nodes: Sequence[GraphNode]) -> None:
        self.nodes = nodes
        self._named = any(node.parameter for node in nodes)
        self._data: dict[int, tuple[int, ...]] = {}

    @cached_property
    def consumers(self) -> list[list[int]]:
        """Of each operation those that read it."""
        found: list[list[int]] = [[] for _ in self.nodes]
        for place, node in enumerate(self.nodes):
            for read in node.inputs:
                if read < len(found):
                    found[read].append(place)
        return found

    def leaf(self, place: int) -> int | None:
        """The place of the parameter that an operand is, seen through what reshapes or normalises it; None where it is data."""
        waiting, seen, leaf = [place], 0, None
        while waiting:
            here = waiting.pop()
            seen += 1
            if here >= len(self.nodes) or seen > 24:
                return None
            node = self.nodes[here]
            if node.operation.endswith("AccumulateGrad"):
                if self._named and node.parameter is None:
                    return None
                leaf = here if leaf is None or len(node.shape or ()) > len(self.nodes[leaf].shape or ()) else leaf
            elif is_one_of(node.operation, (*RESHAPING, *PARTS)) or (
                is_one_of(node.operation, PASSED_TO_WEIGHTS) and self._normed(here)
            ):
                waiting.extend(node.inputs)
            else:
                return None
        return leaf

    def _normed(self, place: int) -> bool:
        """Whether all under an operation are weights that spectral or weight norm keeps."""
        waiting, seen = [place], 0
        while waiting:
            node = self.nodes[waiting.pop()]
            seen += 1
            if seen > 24 or is_one_of(node.operation, (*PRODUCTS[:6], *CONVOLUTIONS)):
                return False
            if node.operation.endswith("AccumulateGrad") and not any(
                p in (node.parameter or "") for p in PARTS_OF_NORMED
            ):
                return False
            waiting.extend(k for k in node.inputs if k < len(self.nodes))
        return True

    def data(self, place: int) -> tuple[int, ...]:
        """What an operation reads besides parameters."""
        if place not in self._data:
            read = self.nodes[place].inputs
            self._data[place] = tuple(k for k in read if k < len(self.nodes) and self.leaf(k) is None)
        return self._data[place]

    @cached_property
    def weighted(self) -> dict[int, Weighted]:
        """The layers with weights, by place."""
        found = {}
        for place, node in enumerate(self.nodes):
            kind: Kind | None = (
                "linear" if is_one_of(node.operation, PRODUCTS)
                else "convolution" if is_one_of(node.operation, CONVOLUTIONS)
                else "embedding" if is_one_of(node.operation, ("Embedding", "EmbeddingBag", "EmbeddingDense"))
                else None
            )  # fmt: skip
            if kind is not None and (seen := self._weights(place, kind)) is not None:
                found[place] = seen
        return found

    def _weights(self, place: int, kind: Kind) -> Weighted | None:
        least = 3 if kind == "convolution" else 1 if is_one_of(self.nodes[place].operation, ("Mv", "Addmv")) else 2
        for operand in self.nodes[place].inputs:
            place_of = self.leaf(operand) if operand < len(self.nodes) else None
            leaf = self.nodes[place_of] if place_of is not None else None
            if place_of is not None and leaf is not None and len(leaf.shape or ()) >= least:
                name = leaf.parameter or ""
                layer = (
                    name.partition(".parametrizations")[0] if "parametrizations" in name else name.rpartition(".")[0]
                )
                turned = is_one_of(self.nodes[operand].operation, ("T", "Transpose", "Permute"))
                turned = turned or stem(self.nodes[place].operation) in ("Linear", "MkldnnLinear")
                return Weighted(
                    place, kind, layer, leaf.parameter, place_of, leaf.shape or (), turned, self.data(place)
                )
        return None

    def is_linear(self, place: int, dropouts: frozenset[str] = frozenset()) -> bool:
        """Whether an operation without weights is linear in the data, batch norm in evaluation included.

        A product with something constant counts only where it is dropout: the constant may depend on the data.
        """
        node = self.nodes[place]
        if is_one_of(node.operation, (*LINEAR, *JOINING, *NORMS_OF_BATCH)):
            return True
        return (
            is_one_of(node.operation, ("Mul", "Div"))
            and len(self.data(place)) == 1
            and self.is_dropout(place, dropouts)
        )

    def is_dropout(self, place: int, dropouts: frozenset[str]) -> bool:
        """Whether an operation is a dropout layer's or function's."""
        node = self.nodes[place]
        return is_one_of(node.operation, ("NativeDropout", "FeatureDropout")) or (
            node.layer is not None and (node.layer in dropouts or "dropout" in node.layer.partition(" (line")[0])
        )

    def below(self, place: int) -> set[int]:
        """All data operations under one, itself left out."""
        found: set[int] = set()
        waiting = list(self.data(place))
        while waiting:
            here = waiting.pop()
            if here not in found:
                found.add(here)
                waiting.extend(self.data(here))
        return found

    @cached_property
    def output_layers(self) -> list[Weighted]:
        """The layers with weights above which there is none."""
        found, seen, waiting = [], set(), [0] if self.nodes else []
        while waiting:
            here = waiting.pop()
            if here in seen:
                continue
            seen.add(here)
            if here in self.weighted:
                found.append(self.weighted[here])
            elif not is_one_of(self.nodes[here].operation, RECURRENT):
                waiting.extend(self.data(here))
        return found

    def chain(self, place: int) -> Iterator[int]:
        """From an operation down through operations of one data input that nothing else reads, itself left out."""
        while len(read := self.data(place)) == 1:
            place = read[0]
            yield place
            if len(set(self.consumers[place])) > 1:
                return

    @cached_property
    def _finished(self) -> list[int]:
        """All data operations, each after all that it reads."""
        order: list[int] = []
        seen = {0}
        stack = [(0, 0)] if self.nodes else []
        while stack:
            here, number = stack.pop()
            read = self.data(here)
            if number == len(read):
                order.append(here)
                continue
            stack.append((here, number + 1))
            if read[number] not in seen:
                seen.add(read[number])
                stack.append((read[number], 0))
        return order

    @cached_property
    def input_layers(self) -> list[Weighted]:
        """The layers with weights under which there is none."""
        above_weights: set[int] = set()
        found = []
        for here in self._finished:
            if any(k in above_weights or k in self.weighted for k in self.data(here)):
                above_weights.add(here)
            elif here in self.weighted:
                found.append(self.weighted[here])
        return found

    @cached_property
    def _dominators(self) -> dict[int, int]:
        """Of each data operation the nearest one through which all ways from the loss to it pass."""
        rank = {place: k for k, place in enumerate(reversed(self._finished))}
        nearest = {0: 0}
        for place in sorted(rank, key=lambda p: rank[p])[1:]:
            for above in self.consumers[place]:
                if above not in nearest or place not in self.data(above):
                    continue
                nearest[place] = self._meeting(nearest, rank, nearest[place], above) if place in nearest else above
        return nearest

    @staticmethod
    def _meeting(nearest: dict[int, int], rank: dict[int, int], a: int, b: int) -> int:
        """The first operation that stands above both."""
        while a != b:
            if rank[a] > rank[b]:
                a = nearest[a]
            else:
                b = nearest[b]
        return a

    def passed_by_all(self, place: int) -> list[Weighted]:
        """The layers with weights on every way from the loss to an operation, nearest to the loss first, each once."""
        found: dict[int, Weighted] = {}
        while place != 0 and place in self._dominators:
            if place in self.weighted:
                layer = self.weighted[place]
                found.setdefault(layer.leaf, layer)
            place = self._dominators[place]
        return list(found.values())[::-1]
