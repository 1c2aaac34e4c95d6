"""Functions of PyTorch as the program calls them: losses, activations, and what takes a value out of the graph."""

import functools
import math
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from osler.vitals import events
from osler.vitals.activations import ACTIVATIONS
from osler.vitals.call_watch import CallWatch
from osler.vitals.evidence import Broadcast, LossSample, LossSeen, Site
from osler.vitals.module_watch import ModuleWatch, function_layer, record_output
from osler.vitals.producers import LOSS, SITE, notes, producers
from osler.vitals.sites import calling_line, persons_site
from osler.vitals.state import Patches, State
from osler.vitals.summaries import summarise

LOSSES = (
    "cross_entropy", "nll_loss", "binary_cross_entropy", "binary_cross_entropy_with_logits", "mse_loss", "l1_loss",
    "smooth_l1_loss", "huber_loss", "kl_div", "poisson_nll_loss", "gaussian_nll_loss", "hinge_embedding_loss",
    "margin_ranking_loss", "multi_margin_loss", "multilabel_margin_loss", "multilabel_soft_margin_loss",
    "soft_margin_loss", "cosine_embedding_loss", "triplet_margin_loss", "triplet_margin_with_distance_loss", "ctc_loss",
)  # fmt: skip
AS_FUNCTIONS = (
    "relu", "relu6", "leaky_relu", "elu", "selu", "celu", "gelu", "silu", "mish", "softplus", "softsign", "hardtanh", "hardswish",
    "hardsigmoid", "sigmoid", "tanh", "softmax", "log_softmax", "logsigmoid", "dropout", "glu", "threshold",
    "dropout1d", "dropout2d", "dropout3d", "alpha_dropout",
)  # fmt: skip
OF_TORCH = ("relu", "sigmoid", "tanh", "softmax", "log_softmax", "selu", "celu", "dropout")
OF_TENSORS = ("relu", "sigmoid", "tanh", "softmax", "log_softmax")
LIBRARIES = (str(Path(torch.__file__).parent), str(Path(__file__).parent))  # PyTorch, and what watches
LEAVING = ("detach", "numpy", "item", "tolist")
SAMPLES_KEPT = 200
LABELS_COUNTED = 500
VALUES_COUNTED = 1_000


class FunctionWatch:
    """Losses and activations called as functions, modules of them included."""

    def __init__(self, state: State, modules: ModuleWatch, calls: CallWatch) -> None:
        self._state, self._modules, self._calls = state, modules, calls
        self._losses: dict[tuple[str, Site | None, tuple[str, int]], LossSeen] = {}
        self._inside = False
        self.loss_of: dict[int, LossSeen] = {}  # by id of the value's node

    def install(self, patches: Patches) -> None:
        """From now on these functions are seen; called inside of each other, only the outer one."""
        for name in LOSSES:
            patches.replace(functional, name, functools.partial(self._wrap, name, self._loss))
        places: tuple[tuple[Any, tuple[str, ...]], ...]
        places = ((functional, AS_FUNCTIONS), (torch, OF_TORCH), (Tensor, OF_TENSORS))
        for owner, names in places:
            for name in names:
                patches.replace(owner, name, functools.partial(self._wrap, name, self._activation))
        for name in LEAVING:
            patches.replace(Tensor, name, functools.partial(self._wrap, name, self._leaving))
        for owner, name in ((Tensor, "__eq__"), (Tensor, "eq"), (torch, "eq")):
            patches.replace(owner, name, functools.partial(self._wrap, "eq", self._compared))
        for name in ("__sub__", "__rsub__", "sub"):
            patches.replace(Tensor, name, functools.partial(self._wrap, "sub", self._subtracted))
        for name in ("__mul__", "__rmul__", "mul"):
            patches.replace(Tensor, name, functools.partial(self._wrap, "mul", self._multiplied))
        for name in ("tensor", "from_numpy", "as_tensor"):
            patches.replace(torch, name, functools.partial(self._wrap, name, self._made))

    def _wrap(self, name: str, note: Callable[..., None], original: Any) -> Any:
        note = self._state.guarded(note)

        @functools.wraps(original)
        def watched(*args: Any, **kwargs: Any) -> Any:
            if torch.compiler.is_compiling() or self._inside or self._state.silent:
                return original(*args, **kwargs)
            self._inside = True
            try:
                value = original(*args, **kwargs)
            finally:
                self._inside = False
            note(name, value, args, kwargs)
            return value

        if not hasattr(original, "__module__") or original.__module__ is None:
            watched.__module__, watched.__qualname__ = "torch", name  # so that it can be pickled by its name
        return watched

    # ---- activations

    def _activation(self, name: str, value: Any, args: Any, kwargs: Any) -> None:
        state = self._state
        running = state.running
        if not (state.dense and isinstance(value, Tensor) and torch.is_grad_enabled()):
            return
        site = persons_site()
        if value.grad_fn is not None and site is not None:
            notes(value.grad_fn).setdefault(SITE, site)
        if (
            not running
            or type(running[-1]).__name__ in ACTIVATIONS
            or isinstance(running[-1], nn.modules.dropout._DropoutNd)
        ):
            return
        given = next((a for a in args if isinstance(a, Tensor)), None)
        layer = function_layer(self._modules.models[running[0]], name, site)
        layer.training = running[-1].training
        if "dropout" in name:
            layer.options = {
                "p": kwargs.get("p", args[1] if len(args) > 1 else 0.5),
                "training": kwargs.get("training", True),
            }
        if layer.order is None:
            layer.order = self._modules.next_order()
        record_output(state, layer, value, given)

    # ---- losses

    def _loss(self, name: str, value: Any, args: Any, kwargs: Any) -> None:
        if not isinstance(value, Tensor) or not args or not isinstance(args[0], Tensor):
            return
        state, site = self._state, persons_site()
        key = name, site, calling_line(LIBRARIES)  # one line of the person's may call a library with several losses
        loss = self._losses.get(key)
        given = args[0]
        target = kwargs.get("target", args[1] if len(args) > 1 and isinstance(args[1], Tensor) else None)
        if loss is None:
            loss = LossSeen(name, site, _loss_options(args, kwargs))
            self._losses[key] = loss
            state.evidence.losses.append(loss)
        moment = "train" if value.requires_grad else "evaluate"
        loss.counts[moment] += 1
        state.event(events.LOSS, site)
        if value.grad_fn is not None:
            notes(value.grad_fn)[LOSS] = name
            if not loss.made_by:
                loss.made_by = producers(given)
        size = given.shape[0] if given.ndim else 0
        by_sample = isinstance(target, Tensor) and target.ndim and target.shape[0] == size
        if by_sample and not (moment == "train" and self._calls.mixed(target, given)):
            self._calls.labelled(size, target)
        if moment == "evaluate" and value.numel() == 1:
            self._calls.lost(float(value), size)
        if loss.counts[moment] <= SAMPLES_KEPT or (state.dense and len(loss.samples) < 5 * SAMPLES_KEPT):
            loss.samples.append(self._sample(loss, moment, value, given, target))
        if moment == "train" and isinstance(target, Tensor) and loss.counts[moment] <= LABELS_COUNTED:
            _count_targets(loss, target)

    def _sample(self, loss: LossSeen, moment: Any, value: Tensor, given: Tensor, target: Any) -> LossSample:
        with torch.no_grad():
            number = float(value.detach().float().mean())
            sample = LossSample(
                self._state.step + 1,
                moment,
                number,
                summarise(given),
                summarise(target) if isinstance(target, Tensor) else None,
            )
            if given.ndim >= 2 and 1 <= given.shape[1] <= 4096 and 0 < given.numel() <= 2_000_000:
                sums = given.detach().float().sum(1)
                sample.row_sums = (float(sums.min()), float(sums.max()))
                sample.row_low = float(given.detach().min())
            if isinstance(target, Tensor) and not target.is_floating_point() and target.numel():
                counts = torch.unique(target, return_counts=True)[1]
                sample.classes_in_batch, sample.top_share = len(counts), float(counts.max()) / target.numel()
        return sample

    # ---- what leaves the graph, compares, is made

    def _leaving(self, name: str, value: Any, args: Any, kwargs: Any) -> None:
        tensor = args[0]
        if torch.is_grad_enabled() and tensor.requires_grad and (site := persons_site()) is not None:
            inside = " in forward" if self._state.running else ""
            self._state.evidence.conversions[name + inside, site] += 1

    def _compared(self, name: str, value: Any, args: Any, kwargs: Any) -> None:
        if len(args) < 2 or not (isinstance(args[0], Tensor) and isinstance(args[1], Tensor)):
            return
        self._note_broadcast("eq", value, args)
        a, b = args[0], args[1]
        entry = self._calls.recent[-1] if self._calls.recent else None
        if entry is None or entry.label is not None or (entry.outputs is None and entry.output is None):
            return
        if a.shape != b.shape or a.numel() != entry.size:
            return
        output = entry.output if entry.output is not None else torch.from_numpy(entry.outputs)
        for said in _answers_of(output.detach()):
            for answer, label in ((a, b), (b, a)):
                if torch.equal(answer.detach().reshape(-1).to(said.device, said.dtype), said):
                    self._calls.labelled(entry.size, label)
                    return

    def _subtracted(self, name: str, value: Any, args: Any, kwargs: Any) -> None:
        if len(args) < 2 or not (isinstance(args[0], Tensor) and isinstance(args[1], Tensor)):
            return
        if self._state.dense or not torch.is_grad_enabled():
            self._note_broadcast("sub", value, args)
        a, b = args[0], args[1]
        if (
            a.shape == b.shape and a.ndim and a.requires_grad is not b.requires_grad
        ):  # `output - target` of a loss of one's own
            output, target = (a, b) if a.requires_grad else (b, a)
            self._calls.labelled(a.shape[0], target, output)

    def _multiplied(self, name: str, value: Any, args: Any, kwargs: Any) -> None:
        tensors = len(args) > 1 and isinstance(args[0], Tensor) and isinstance(args[1], Tensor)
        looked_at = self._state.dense and tensors and not self._state.running
        if looked_at and sorted((args[0].ndim, args[1].ndim)) == [1, 2]:
            self._note_broadcast("mul", value, args)

    def _note_broadcast(self, name: str, value: Any, args: Any) -> None:
        a, b = args[0], args[1]
        broadcasts = self._state.evidence.broadcasts
        if (
            min(a.numel(), b.numel()) > 1
            and isinstance(value, Tensor)
            and value.numel() > max(a.numel(), b.numel())
            and len(broadcasts) < 200
        ):
            same = a.numel() == b.numel() and bool(torch.equal(a.detach().flatten(), b.detach().flatten()))
            shapes, sides = (tuple(a.shape), tuple(b.shape)), (a.requires_grad, b.requires_grad)
            broadcasts.append(Broadcast(name, shapes, value.requires_grad, persons_site(), sides, same))

    def _made(self, name: str, value: Any, args: Any, kwargs: Any) -> None:
        if isinstance(value, Tensor) and value.numel() > 64 and (site := persons_site()) is not None:
            self._state.evidence.conversions["make", site] += 1


def _answers_of(output: Tensor) -> list[Tensor]:
    """What a program may make of a network's output: the class of the highest score, or of one score what lies above an edge."""
    if output.ndim == 2 and output.shape[1] > 1:
        return [output.argmax(1)]
    return [(output.reshape(-1) > edge).long() for edge in (0.0, 0.5)] if output.numel() == output.shape[0] else []


def _loss_options(args: Any, kwargs: Any) -> dict[str, Any]:
    found: dict[str, Any] = {
        name: value for name, value in kwargs.items() if value is None or isinstance(value, (bool, int, float, str))
    }
    for name in ("weight", "pos_weight"):
        value = kwargs.get(name)
        if isinstance(value, Tensor):
            found[name] = tuple(value.detach().flatten()[:64].tolist())
    found.setdefault("reduction", "mean")
    return found


def _count_targets(loss: LossSeen, target: Tensor) -> None:
    loss.target_is_integer = not target.is_floating_point()
    values, counts = torch.unique(target.detach().float().flatten()[:65_536], return_counts=True)
    if len(loss.targets) + len(values) <= 2 * VALUES_COUNTED:
        loss.targets.update(Counter(dict(zip(values.tolist(), counts.tolist(), strict=True))))
    elif not math.isnan(float(values[0])) and len(loss.targets) < VALUES_COUNTED:
        loss.targets.update(values[:10].tolist())
