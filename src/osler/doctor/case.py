"""A training as the checks meet it: the evidence, the script read, and what several checks derive from both."""

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from osler.doctor.data_lines import DataLines
from osler.doctor.data_seen import DataSeen
from osler.doctor.fault import NotSeen
from osler.doctor.loss_graph import LossGraph
from osler.doctor.objects_read import ObjectsRead
from osler.doctor.printed import Printed
from osler.doctor.script_reading import ScriptReading
from osler.structures.finding import Series, Where
from osler.vitals.evidence import Answers, Evidence, LayerSeen, LossSeen, ModelSeen, OptimizerSeen, Site

CLASS_LOSSES = ("cross_entropy", "nll_loss")
BINARY_LOSSES = ("binary_cross_entropy", "binary_cross_entropy_with_logits")
REGRESSION_LOSSES = ("mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss")


@dataclass(frozen=True)
class Case:
    """One training. Everything here is read, nothing is changed."""

    evidence: Evidence
    script: ScriptReading = field(default_factory=ScriptReading)

    # ---- networks

    @property
    def models(self) -> list[ModelSeen]:
        """The networks that learn, the most used first.

        Raises:
            NotSeen: none was seen.
        """
        found = self.evidence.trained_models or [m for m in self.evidence.models if m.call_counts["train"]]
        if not found:
            raise NotSeen("no network was seen to learn")
        return found

    def layers(self, model: ModelSeen) -> list[LayerSeen]:
        """The layers that ran in the first training pass, in the order in which they ran first."""
        return sorted((x for x in model.layers.values() if x.order is not None), key=lambda x: x.order or 0)

    @cached_property
    def loss_graphs(self) -> list[LossGraph]:
        """The graph of the first loss of each line that called `backward`, read as a network."""
        return [LossGraph(b.graph) for b in self.evidence.backwards if b.graph]

    # ---- losses

    @cached_property
    def _training_losses(self) -> list[LossSeen]:
        return sorted((x for x in self.evidence.losses if x.counts["train"]), key=lambda x: -x.counts["train"])

    def losses(self, *functions: str) -> list[LossSeen]:
        """The loss functions that taught something, of these names where some are given, the most used first."""
        return [x for x in self._training_losses if not functions or x.function in functions]

    @cached_property
    def loss_curve(self) -> np.ndarray:
        """[updates, 2]: updates made and the loss on which `backward` was called, of the line with most calls.

        Raises:
            NotSeen: `backward` was never called on a single number.
        """
        lines = sorted(self.evidence.backwards, key=lambda b: -len(b.values))
        if not lines or not lines[0].values:
            raise NotSeen("no loss was seen")
        curve = np.asarray(lines[0].values, dtype=np.float64).reshape(-1, 2)
        scales = np.asarray(self.evidence.scaler, dtype=np.float64)
        if len(scales) == len(curve):  # what a gradient scaler multiplied is divided again
            curve[:, 1] /= np.concatenate([scales[:1], scales[:-1]])
        return curve

    def loss_series(self, points: int = 60) -> tuple[Series, ...]:
        """The loss over updates, thinned to a small plot."""
        curve = self.loss_curve
        curve = curve[:: max(1, len(curve) // points)]
        return (Series("loss", tuple(int(s) for s in curve[:, 0]), tuple(float(v) for v in curve[:, 1])),)

    def loss_part(self, begin: float, end: float) -> np.ndarray:
        """The losses between two shares of the updates, such as the last tenth: (0.9, 1.0). Finite ones; may be empty."""
        values = self.loss_curve[:, 1]
        part = values[int(len(values) * begin) : max(int(len(values) * begin) + 1, math.ceil(len(values) * end))]
        return part[np.isfinite(part)]

    @cached_property
    def class_count(self) -> int:
        """Number of classes, from the width of the scores that a class loss was given; 2 for a binary loss on one unit.

        Raises:
            NotSeen: no loss for classes was seen.
        """
        for loss in self.losses(*CLASS_LOSSES):
            for sample in loss.samples:
                if len(sample.input.shape) >= 2:
                    return sample.input.shape[1]
        if any(True for _ in self.losses(*BINARY_LOSSES)):
            return 2
        raise NotSeen("no loss for classes was seen")

    @property
    def classifies(self) -> bool:
        """Whether a loss for classes taught a network."""
        return bool(self.losses(*CLASS_LOSSES, *BINARY_LOSSES))

    # ---- evaluation

    def evaluations(self, model: ModelSeen) -> list[Answers]:
        """Passes over data on which the network was not trained, in order; those over training data are left out."""
        return [a for a in model.answers if not (a.compared and a.known > 0.5 * a.compared)]

    def training_evaluations(self, model: ModelSeen) -> list[Answers]:
        """Passes without learning over samples on which the network was trained."""
        return [a for a in model.answers if a.compared and a.known > 0.5 * a.compared]

    # ---- optimizers

    @property
    def optimizers(self) -> list[OptimizerSeen]:
        """The optimizers that made steps, the most used first.

        Raises:
            NotSeen: none did.
        """
        found = sorted((o for o in self.evidence.optimizers if o.steps), key=lambda o: -o.steps)
        if not found:
            raise NotSeen("no optimizer made a step")
        return found

    # ---- data

    @cached_property
    def lines(self) -> DataLines:
        """The lines of the script at which data are made."""
        return DataLines(self.evidence, self.script)

    @cached_property
    def _data(self) -> dict[int, DataSeen]:
        return {}

    def data(self, model: ModelSeen) -> DataSeen:
        """The samples that a network was trained and evaluated on."""
        return self._data.setdefault(id(model), DataSeen(model))

    @cached_property
    def objects(self) -> ObjectsRead:
        """The objects that a detector is taught.

        Raises:
            NotSeen: none were seen.
        """
        return ObjectsRead(self.evidence, self.script)

    # ---- places

    def where(self, site: Site | None = None, layer: str | None = None) -> Where:
        """A place; the layer's own line where no other is given."""
        if site is None and layer is not None:
            for model in self.evidence.models:
                if layer in model.layers and model.layers[layer].site is not None:
                    site = model.layers[layer].site
                    break
        name = layer.partition(" (line")[0] if layer else None
        return Where(site.file if site else (self.evidence.script or None), site.line if site else None, name)

    def line(self, number: int | None, layer: str | None = None) -> Where:
        """A line of the script itself."""
        return Where(self.evidence.script or None, number, layer)

    @property
    def probes(self) -> dict[str, Any]:
        """Results of the trials after the run, by name: see `probes.py`."""
        return self.evidence.probes

    @cached_property
    def printed(self) -> Printed:
        """The figures that the script itself printed."""
        return Printed(self.evidence.printed)
