"""One watch over a whole program: installs the recorders, and gives back the evidence.

Losses and weights are the same, bit for bit, as without it: no random number is drawn, nothing is computed in place,
and what fails in a recorder is counted, not raised.
"""

import importlib
import time
import warnings
from typing import Any

from torch import nn
from torch.optim import Optimizer

from osler.vitals.call_watch import CallWatch
from osler.vitals.edge_watch import EdgeWatch
from osler.vitals.evidence import Evidence
from osler.vitals.function_watch import FunctionWatch
from osler.vitals.loader_watch import LoaderWatch
from osler.vitals.metric_watch import MetricWatch
from osler.vitals.module_tree import Births
from osler.vitals.module_watch import ModuleWatch
from osler.vitals.object_watch import ObjectWatch
from osler.vitals.optimizer_watch import OptimizerWatch
from osler.vitals.state import Patches, State
from osler.vitals.transformer_defaults import RELU_DEFAULTS


class Watch:
    """Everything that PyTorch does in this process, between `install` and `finish`.

    with Watch() as watch:
        ...  # any training
    watch.evidence
    """

    def __init__(self) -> None:
        self.state = State()
        self.births = Births()
        self.calls = CallWatch(self.state)
        self.modules = ModuleWatch(self.state, self.births, self.calls)
        self.functions = FunctionWatch(self.state, self.modules, self.calls)
        self.optimizers = OptimizerWatch(self.state, self.modules, self.calls)
        self.loaders = LoaderWatch(self.state, self.calls)
        self.objects = ObjectWatch(self.state, self.calls, self.loaders)
        self.metrics = MetricWatch(self.state, self.calls)
        self.edges = EdgeWatch(self.state)
        self._patches = Patches()
        self._installed = False
        self._filter: Any = None  # of the warning that our own hooks would cause

    @property
    def evidence(self) -> Evidence:
        """What was seen so far."""
        return self.state.evidence

    def install(self) -> None:
        """Begins."""
        if self._installed:
            return
        self._installed = True
        importlib.import_module(
            "torch._dynamo"
        )  # as the first optimizer does; it must meet PyTorch's functions as they are
        self.state.began = time.perf_counter()
        for part in (self.modules, self.functions, self.optimizers, self.loaders, self.metrics, self.edges):
            part.install(self._patches)
        RELU_DEFAULTS.follow(self._patches)
        warnings.filterwarnings("ignore", message="Using `torch.compile\\(module\\)` when there are global hooks")
        self._filter = warnings.filters[0]

    def know(self, model: nn.Module, optimizer: Optimizer | None = None) -> None:
        """A network, and an optimizer, that were made before the watch began."""
        for part in model.modules():
            for name, child in part.named_children():
                self.births.put(part, name, child)
        if optimizer is not None:
            self.optimizers.know(optimizer)

    def uninstall(self) -> None:
        """Ends; everything that was replaced is put back."""
        self._patches.undo()
        self.modules.remove()
        self.optimizers.remove()
        if self._filter in warnings.filters:
            warnings.filters.remove(self._filter)  # type: ignore[attr-defined]
        self._installed = False

    def finish(self) -> Evidence:
        """Adds what the networks are now; the watch may go on."""
        with self.state.quiet():
            self.calls.finish()
            self.modules.finish()
            self.optimizers.finish()
            self.objects.finish(list(self.modules.models))
        evidence = self.evidence
        evidence.seconds = time.perf_counter() - self.state.began
        evidence.passes = max((loader.passes for loader in evidence.loaders), default=0)
        return evidence

    def networks(self) -> list[tuple[nn.Module, Any]]:
        """The networks that were called, each with its record."""
        return list(self.modules.models.items())

    def __enter__(self) -> "Watch":
        self.install()
        return self

    def __exit__(self, *error: object) -> None:
        self.finish()
        self.uninstall()
