"""What was seen of networks: their layers and parameters, their calls, the samples they met and the answers they gave.

Plain numbers, no tensors. A list is in the order of time. A `Site` is a line of the person's program.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np

Moment = Literal["train", "evaluate"]  # whether gradients were recorded


class Site(NamedTuple):
    """A line of the person's program."""

    file: str
    line: int
    function: str = "<module>"


@dataclass(frozen=True, slots=True)
class Summary:
    """A tensor in a few numbers. Those of values are over its finite ones; NaN where there is none."""

    shape: tuple[int, ...]
    dtype: str
    mean: float
    std: float
    low: float
    high: float
    zeros: float  # share of exact zeros, 0 to 1
    bad: int  # how many values are NaN or infinite

    @property
    def count(self) -> int:
        """How many values the tensor holds."""
        return int(np.prod(self.shape, dtype=np.int64))


@dataclass(slots=True)
class ParameterSeen:
    """A parameter at the first forward pass of its network and at the end of what was watched."""

    shape: tuple[int, ...]
    layer: str
    requires_grad: bool
    start: Summary
    start_values: np.ndarray  # up to 64 values, evenly spread
    start_row_spread: float  # largest spread between the rows of a matrix; 0: all units start equal; NaN: no rows
    end: Summary | None = None
    end_values: np.ndarray | None = None
    end_row_spread: float = float("nan")
    optimizers: list[int] = field(default_factory=list)  # that hold it, by number
    gradients_seen: int = 0  # sampled steps at which it had a gradient
    nonzero_gradients: int = 0  # ... that was not zero everywhere
    steps_seen: int = 0  # sampled steps of an optimizer that holds it, or of any if none does
    gradient_at_end: bool = False  # whether a gradient was left on it at the end
    exchanged: bool = False  # whether another took its place after the first call, as where a new head is put in

    @property
    def moved(self) -> bool:
        """Whether its values changed while it was watched."""
        return self.end_values is not None and not np.array_equal(self.start_values, self.end_values, equal_nan=True)


@dataclass(slots=True)
class LayerSeen:
    """A module of a network, or an activation called as a function (then `kind` is the function's name)."""

    name: str
    kind: str
    site: Site | None  # where it was made; of a function where it was called
    options: dict[str, Any]  # plain attributes: in_features, kernel_size, p, momentum, ...
    parameters: tuple[str, ...] = ()  # its own, by full name
    leaf: bool = True
    training: bool | None = None  # the mode at the last training step
    order: int | None = None  # place in the first training pass
    input_shape: tuple[int, ...] | None = None
    output_shape: tuple[int, ...] | None = None
    calls: int = 0  # at sampled training steps
    calls_without_gradient: int = 0  # ... under `no_grad`, within a training call of the network
    samples: list["LayerSample"] = field(default_factory=list)
    units: int = 0  # channels, or the last axis of a matrix
    silent_units: np.ndarray | None = None  # bool per unit: put out 0 in all that was sampled
    constant_units: np.ndarray | None = None  # bool per unit: put out the same for all samples of every sampled batch
    start_statistics: dict[str, list[float]] = field(default_factory=dict)  # running mean and variance of a norm layer
    end_statistics: dict[str, list[float]] = field(default_factory=dict)


@dataclass(slots=True)
class LayerSample:
    """What a layer put out at a sampled training step, and the gradient that came back to that output."""

    step: int
    call: int  # which call within the step, from 0: a recurrent cell is called often
    output: Summary
    between_samples: float  # spread of the outputs from sample to sample, root mean square over units
    saturated: float  # share of outputs where the activation's slope is under 1 % of its largest; NaN: not such a layer
    silent: float  # share of units that put out 0 for the whole batch
    gradient_rms: float = float("nan")
    gradient_zeros: float = float("nan")  # share of exact zeros
    gradient_bad: int = 0


@dataclass(slots=True)
class Call:
    """A call of a network from outside."""

    step: int
    moment: Moment
    training: bool  # the network's mode
    wrong_mode: tuple[str, ...]  # dropout and norm layers whose mode differs from what the moment wants
    site: Site | None
    inputs: tuple[Summary, ...]
    channel_means: tuple[float, ...]  # of the first input, along axis 1; empty where there are more than 64
    channel_stds: tuple[float, ...]
    output: Summary | None
    between_samples: float  # spread of the output from sample to sample


@dataclass(slots=True)
class Samples:
    """Some samples as the network met them: at most some thousand, each by up to 256 of its values."""

    picks: list[np.ndarray] = field(default_factory=list)  # [batch, picks] each
    labels: list[np.ndarray | None] = field(default_factory=list)  # [batch] or [batch, targets] each
    outputs: list[np.ndarray | None] = field(default_factory=list)  # [batch, outputs] each, of at most 64 outputs
    steps: list[int] = field(default_factory=list)
    batches: list[int] = field(default_factory=list)  # number of the call

    def __len__(self) -> int:
        return sum(len(picks) for picks in self.picks)


@dataclass(slots=True)
class Answers:
    """A pass over evaluation data between two updates, by the line that calls; samples trained on make one of their own."""

    step: int
    samples: int = 0
    losses: list[float] = field(default_factory=list)  # of each call of a loss
    predicted: Counter[int] = field(default_factory=Counter)
    labelled: Counter[int] = field(default_factory=Counter)
    right: int = 0
    judged: int = 0  # samples with both an answer and a label
    confusion: dict[tuple[int, int], int] = field(default_factory=dict)  # (label, answer) to count
    known: int = 0  # samples that were trained on, value for value, among those compared
    compared: int = 0
    errors: list[float] = field(default_factory=list)  # mean absolute error of each batch of a regression
    spreads: list[tuple[float, float]] = field(default_factory=list)  # of outputs and targets in each of those batches
    in_training_mode: int = 0  # samples answered with the network in training mode
    batches: list[tuple[int, int]] = field(default_factory=list)  # of each batch: right answers, answers judged
    site: Site | None = None  # of its first call

    @property
    def loss(self) -> float:
        """Mean loss; NaN where none was seen."""
        return float(np.mean(self.losses)) if self.losses else float("nan")

    @property
    def accuracy(self) -> float:
        """Share of right answers; NaN where no labels were seen."""
        return self.right / self.judged if self.judged else float("nan")


@dataclass(slots=True)
class ModelSeen:
    """A network: the outermost module that was called, or the one that holds those that were."""

    name: str  # the variable's name where it is known, else the class's
    kind: str
    site: Site | None  # where it was made
    layers: dict[str, LayerSeen] = field(default_factory=dict)
    parameters: dict[str, ParameterSeen] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    call_counts: Counter[str] = field(default_factory=Counter)  # "train", "evaluate", with ":wrong mode" after some
    outputs_of: list["Producer"] = field(default_factory=list)  # what made its first output, last first
    train: Samples = field(default_factory=Samples)
    evaluate: Samples = field(default_factory=Samples)
    answers: list[Answers] = field(default_factory=list)
    last_training: Answers | None = None  # answers in the last 24 training calls, before their updates
    applied: Counter[tuple[str, Site]] = field(
        default_factory=Counter
    )  # to its outputs, outside: see `metric_watch.py`
    stray: dict[str, Site | None] = field(default_factory=dict)  # modules with parameters called inside, held nowhere
    fresh_parameters: Counter[Site] = field(default_factory=Counter)  # parameters made inside of its forward passes
    loaded: bool = False  # whether weights were loaded into it

    @property
    def trained(self) -> bool:
        """Whether an optimizer holds any of its parameters, or gradients reached any."""
        return any(p.optimizers or p.gradients_seen for p in self.parameters.values())


@dataclass(frozen=True, slots=True)
class Producer:
    """An operation on the way from a layer with weights to an output, as autograd names it (`SoftmaxBackward0`)."""

    operation: str
    site: Site | None = None
    layer: str | None = None
