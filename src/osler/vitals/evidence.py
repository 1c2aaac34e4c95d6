"""What was seen of a training: plain numbers, no tensors, so that it can be kept, compared and checked at leisure.

The recorders of this floor fill an `Evidence`; checks only read it. A list is in the order of time. Steps count the
updates of all optimizers from 1; 0 is before the first. A `Site` is the line of the person's program.
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


@dataclass(slots=True)
class GraphNode:
    """An operation of the graph of a loss, as autograd recorded it."""

    operation: str
    inputs: tuple[int, ...]  # the operations that it reads, by place in the graph
    site: Site | None = None
    layer: str | None = None
    parameter: str | None = None  # of a leaf
    shape: tuple[int, ...] | None = None  # of a leaf


@dataclass(slots=True)
class LossSample:
    """A call of a loss function."""

    step: int
    moment: Moment
    value: float
    input: Summary
    target: Summary | None
    row_sums: tuple[float, float] | None = None  # least and largest sum over classes, where there are classes
    row_low: float = float("nan")
    classes_in_batch: int = 0  # of integer targets
    top_share: float = float("nan")  # share of the batch's most frequent class


@dataclass(slots=True)
class LossSeen:
    """A loss function called at a line of the program, or a scalar on which `backward` was called at it."""

    function: str  # cross_entropy, mse_loss, ...; "own" for one that the program writes out
    site: Site | None
    options: dict[str, Any] = field(default_factory=dict)  # reduction, label_smoothing, weight, ...
    counts: Counter[str] = field(default_factory=Counter)  # calls by moment
    samples: list[LossSample] = field(default_factory=list)
    made_by: list[Producer] = field(default_factory=list)  # what made its first input, last first
    targets: Counter[float] = field(default_factory=Counter)  # how often each target value was seen, up to 1000 values
    target_is_integer: bool = False


@dataclass(slots=True)
class Backward:
    """The calls of `backward` at a line."""

    site: Site | None
    calls: int = 0
    values: list[tuple[int, float]] = field(default_factory=list)  # (updates made before, loss)
    graph: list[GraphNode] = field(default_factory=list)  # of the first call


@dataclass(slots=True)
class StepSample:
    """A sampled update of an optimizer. Norms are Euclidean, by parameter."""

    step: int
    lr: tuple[float, ...]
    gradients: dict[str, float]
    weights: dict[str, float]
    updates: dict[str, float]


@dataclass(slots=True)
class OptimizerSeen:
    """An optimizer."""

    kind: str
    site: Site | None
    options: list[dict[str, Any]]  # of each group: lr, momentum, weight_decay, ...
    parameters: list[str] = field(default_factory=list)
    strangers: int = 0  # parameters of no network that was called
    steps: int = 0
    step_sites: Counter[Site] = field(default_factory=Counter)
    zero_sites: Counter[Site] = field(default_factory=Counter)
    empty_steps: int = 0  # steps at which no parameter had a gradient, among those looked at
    zero_steps: int = 0  # steps at which every gradient was zero, among those looked at
    looked: int = 0
    stale_steps: int = 0  # steps before which no gradient was cleared since the step before, among those looked at
    rates: list[tuple[int, float]] = field(default_factory=list)  # (step, lr of the first group), when it changed
    samples: list[StepSample] = field(default_factory=list)
    skipped_by_scaler: int = 0


@dataclass(slots=True)
class SchedulerSeen:
    """A learning-rate schedule."""

    kind: str
    site: Site | None
    optimizer: int | None
    steps: int = 0
    step_sites: Counter[Site] = field(default_factory=Counter)
    before_first_update: int = 0
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class LoaderSeen:
    """A DataLoader."""

    site: Site | None
    samples: int | None
    batch_size: int | None
    sampler: str
    drop_last: bool
    workers: int
    dataset: str
    passes: int = 0
    batches: int = 0
    used_for: Counter[str] = field(default_factory=Counter)  # batches by the moment in which the network met them
    transforms: str = ""


@dataclass(slots=True)
class Clipping:
    """Calls that clip gradients."""

    kind: str  # norm or value
    limit: float
    site: Site | None
    calls: int = 0
    clipped: int = 0
    totals: list[float] = field(default_factory=list)  # norms before clipping


@dataclass(frozen=True, slots=True)
class Broadcast:
    """Two tensors of different shapes that met in an operation and made a larger one than either."""

    operation: str
    shapes: tuple[tuple[int, ...], tuple[int, ...]]
    learns: bool  # whether a gradient runs through it
    site: Site | None
    sides: tuple[bool, bool] = (True, False)  # through which of the two a gradient runs
    same: bool = False  # whether both are views of one tensor, as where all pairs of it are meant


@dataclass(slots=True)
class Edge:
    """An operation with an edge, such as a square root or a division, at a line; in the updates looked at closely."""

    operation: str
    site: Site
    calls: int = 0
    values: int = 0
    at_edge: int = 0  # values whose result or slope is infinite there, of finite operands
    made_bad: int = 0  # calls that made NaN or infinity of finite operands
    first_bad: int | None = None  # the update


@dataclass(slots=True)
class Ending:
    """How the program ended."""

    how: Literal["finished", "exited", "crashed", "budget", "interrupted"] = "finished"
    code: int = 0
    error: str = ""  # kind and text of what was raised
    traceback: str = ""
    site: Site | None = None  # the last line of the person's program in it
    layers: tuple[str, ...] = ()  # the modules that were running, outermost first


@dataclass(slots=True)
class Evidence:
    """All that was seen."""

    script: str = ""
    source: str = ""
    models: list[ModelSeen] = field(default_factory=list)
    optimizers: list[OptimizerSeen] = field(default_factory=list)
    schedulers: list[SchedulerSeen] = field(default_factory=list)
    losses: list[LossSeen] = field(default_factory=list)
    backwards: list[Backward] = field(default_factory=list)
    loaders: list[LoaderSeen] = field(default_factory=list)
    clippings: list[Clipping] = field(default_factory=list)
    order: str = ""  # the first 2,000 events, a letter each: see `events.py`
    event_counts: Counter[str] = field(default_factory=Counter)
    event_sites: dict[str, Counter[Site]] = field(default_factory=dict)
    printed: list[str] = field(default_factory=list)  # lines of the program's output, the first and last 2,000
    warnings: list[tuple[str, Site | None]] = field(default_factory=list)
    broadcasts: list["Broadcast"] = field(default_factory=list)
    edges: list["Edge"] = field(default_factory=list)
    conversions: Counter[tuple[str, Site]] = field(default_factory=Counter)  # detach, item, numpy ... of graph tensors
    scaler: list[float] = field(default_factory=list)  # scales of a GradScaler over time
    autocast: Counter[str] = field(default_factory=Counter)  # dtypes of outputs under autocast
    probes: dict[str, Any] = field(default_factory=dict)  # results of trials after the run: see `probes.py`
    ending: Ending = field(default_factory=Ending)
    steps: int = 0  # updates
    seconds: float = 0.0
    passes: int = 0  # passes of the most used loader over its data

    @property
    def trained_models(self) -> list[ModelSeen]:
        """The networks that learn here, the one with most training calls first."""
        return sorted((m for m in self.models if m.trained), key=lambda m: -m.call_counts["train"])
