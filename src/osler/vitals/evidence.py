"""What was seen of a training: plain numbers, no tensors, so that it can be kept, compared and checked at leisure.

The recorders of this floor fill an `Evidence`; checks only read it. A list is in the order of time. Steps count the
updates of all optimizers from 1; 0 is before the first. A `Site` is the line of the person's program.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Literal

from osler.vitals.network_evidence import (
    Answers,
    Call,
    LayerSample,
    LayerSeen,
    ModelSeen,
    Moment,
    ParameterSeen,
    Producer,
    Samples,
    Site,
    Summary,
)
from osler.vitals.object_evidence import AnchorsSeen, ObjectsSeen, PictureObjects

__all__ = [
    "AnchorsSeen",
    "Answers",
    "Backward",
    "Broadcast",
    "Call",
    "Clipping",
    "Edge",
    "Ending",
    "Evidence",
    "GraphNode",
    "LayerSample",
    "LayerSeen",
    "LoaderSeen",
    "LossSample",
    "LossSeen",
    "ModelSeen",
    "Moment",
    "ObjectsSeen",
    "OptimizerSeen",
    "ParameterSeen",
    "PictureObjects",
    "Producer",
    "Samples",
    "SchedulerSeen",
    "Site",
    "StepSample",
    "Summary",
]


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
    objects: ObjectsSeen | None = None  # what a detector is taught, where there is one

    @property
    def trained_models(self) -> list[ModelSeen]:
        """The networks that learn here, the one with most training calls first."""
        return sorted((m for m in self.models if m.trained), key=lambda m: -m.call_counts["train"])
