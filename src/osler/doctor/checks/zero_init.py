"""Layers whose units start, and stay, copies of each other."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from osler.doctor import thresholds
from osler.doctor.case import Case
from osler.doctor.fault import Fault, check
from osler.doctor.initialising_lines import constant_line
from osler.structures.finding import Finding, Remedy
from osler.vitals.evidence import LayerSeen, ModelSeen, ParameterSeen

FAULT = Fault(
    name="zero-init",
    category="model",
    phase="before",
    title="Weights start at zero or a constant",
    symptom="The network learns no more than one unit a layer could; with zeros and ReLU it learns nothing.",
    cause=(
        "Units of a layer that start with the same weights compute the same, get the same gradient, and stay the same. Random "
        "starts break that symmetry."
    ),
    seen_by=(
        "all rows of a hidden layer's weights are equal at the first call, and they are still equal at the "
        "end though they moved, or "
        "never got a gradient but 0, or the layer after it is constant as well, so that nothing tells its units apart"
    ),
    remedies=(
        Remedy(
            "random weights",
            "Initialise weights at random: nn.init.kaiming_normal_ for ReLU, nn.init.xavier_uniform_ for tanh.",
        ),
        Remedy("leave PyTorch's", "Remove the initialisation: PyTorch's own is random and scaled."),
    ),
    sources=(
        "Goodfellow, Bengio, Courville 2016, Deep Learning, section 8.4: breaking symmetry",
        "Braiek, Khomh 2023 (TheDeepChecker): variance of weights is 0",
    ),
)


ROWS_ARE_UNITS = ("Linear", "Conv", "LSTM", "GRU", "RNN", "Attention", "Bilinear")
START_VALUES = 64  # of a parameter that are kept, evenly spread


@dataclass(frozen=True, slots=True)
class Matrix:
    """Weights, with the layer that holds them."""

    layer: LayerSeen
    seen: ParameterSeen

    @property
    def constant(self) -> bool:
        """Whether all weights start at one number."""
        return self.seen.start.low == self.seen.start.high

    @property
    def alike(self) -> bool:
        """Whether it may learn, has several units, and they start with equal weights."""
        return (
            self.seen.shape[0] > 1
            and self.seen.requires_grad
            and not self.seen.start.bad
            and (self.seen.start_row_spread == 0 or self.constant)
        )

    @property
    def still_alike(self) -> bool:
        """Whether it moved, and its units are copies of each other to the end."""
        seen = self.seen
        if not seen.moved or seen.end is None or seen.end.bad or seen.end_values is None:
            return False
        size = max(abs(seen.end.low), abs(seen.end.high), 1e-12)
        if seen.end_row_spread <= thresholds.COPIES * size:
            return True
        rows = any(kind in self.layer.kind for kind in ROWS_ARE_UNITS)
        return not rows and _columns_spread(seen.end_values, seen.shape) <= thresholds.COPIES * size

    @property
    def never_moves(self) -> bool:
        """Whether no gradient but 0 ever came."""
        seen = self.seen
        return seen.gradients_seen >= thresholds.STEPS_UNUSED and not seen.nonzero_gradients and not seen.moved


@check(FAULT)
def look(case: Case) -> Iterator[Finding]:
    """Looks at the units' weights at the start and at the end, matrix after matrix."""
    for model in case.models:
        matrices = list(_matrices(case, model))
        alike = [m for m in matrices[:-1] if m.alike]
        if model.loaded or not alike or not any(p.nonzero_gradients for p in model.parameters.values()):
            continue
        copies, still = [m for m in alike if m.still_alike], [m for m in alike if m.never_moves]
        told = copies or still or (alike if _everywhere(matrices) else [])
        if told:
            yield _finding(case, matrices, told, copies=bool(copies), still=bool(still))


def _finding(case: Case, matrices: Sequence[Matrix], told: Sequence[Matrix], *, copies: bool, still: bool) -> Finding:
    first, layer = told[0].seen, told[0].layer
    value = f"{first.start.mean:.3g}" if told[0].constant else "equal rows"
    after = "the units of a layer begin as copies of each other"
    if copies:
        after = "they got the same gradients, and at the end all units of a layer are still copies of each other"
    elif still:
        after = f"no gradient but 0 came in {first.steps_seen} steps looked at, so that they stay there"
    names = ", ".join(dict.fromkeys(m.layer.name or m.layer.kind for m in told[:4]))
    shape = " x ".join(map(str, first.shape))
    line = constant_line(case, layer.name)
    return FAULT.found(
        f"{len(told)} of {len(matrices)} matrices of weights (of {names}; the first {shape}) start at {value}: {after}",
        where=case.line(line, layer.name or None) if line else case.where(layer.site, layer.name or None),
        certainty=0.97,
    )


def _matrices(case: Case, model: ModelSeen) -> Iterator[Matrix]:
    """The weights of layers that run, in the order in which they run."""
    for layer in case.layers(model):
        if "Embedding" in layer.kind or "Norm" in layer.kind:
            continue
        for name in layer.parameters:
            seen = model.parameters.get(name)
            if seen is not None and len(seen.shape) >= 2 and (layer.leaf or min(seen.shape[:2]) > 1):
                yield Matrix(layer, seen)


def _everywhere(matrices: Sequence[Matrix]) -> bool:
    """Whether equal units are read by equal weights, in two hidden layers in a row or nearly everywhere.

    Branches that end in zeros, and a last layer of zeros, do not make that: random weights stand between.
    """
    hidden_pair = any(a.alike and b.alike and b.constant for a, b in itertools.pairwise(matrices[:-1]))
    pair = any(a.alike and b.constant for a, b in itertools.pairwise(matrices))
    share = sum(m.alike for m in matrices[:-1]) + matrices[-1].constant
    return hidden_pair or (pair and share >= thresholds.SHARE_SYMMETRIC * len(matrices))


def _columns_spread(values: np.ndarray, shape: tuple[int, ...]) -> float:
    """The largest spread among kept values of one row; infinite where none has two."""
    count = int(np.prod(shape))
    stride = -(-count // START_VALUES)
    step = 1 if count <= START_VALUES else stride + (1 - stride % 2)
    rows = np.arange(len(values)) * step // int(np.prod(shape[1:]))
    found = [np.ptp(values[rows == row]) for row in np.unique(rows) if np.sum(rows == row) > 1]
    return float(max(found, default=np.inf))
