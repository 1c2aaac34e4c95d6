"""Calls of whole networks: what went in, what came out, whether anything was learnt from it, and the labels that belong to it.

A call is for training when a gradient comes back to its output. Without a gradient, or where none came until the next
update, it was for evaluation.
"""

import weakref
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from osler.vitals import events
from osler.vitals.answers import judge
from osler.vitals.evidence import Answers, Call, ModelSeen, Moment, Samples
from osler.vitals.producers import producers
from osler.vitals.sites import persons_site
from osler.vitals.state import State
from osler.vitals.summaries import as_array, between_samples, positions, summarise

CALLS_KEPT = 40  # of each moment, besides those at sampled steps
CALLS_MOST = 400
SAMPLES_KEPT = {"train": 4_096, "evaluate": 2_048}
OUTPUTS_KEPT = 64
MODED = (nn.modules.dropout._DropoutNd, nn.modules.batchnorm._BatchNorm)


def tensors_in(value: Any, depth: int = 3) -> Iterator[Tensor]:
    """The tensors in what a module takes or gives, in order; lists, tuples, dicts and data classes are looked into."""
    if isinstance(value, Tensor):
        yield value
    elif depth:
        if isinstance(value, dict):
            parts: Any = value.values()
        elif isinstance(value, (list, tuple)):
            parts = value
        else:
            parts = vars(value).values() if hasattr(value, "__dataclass_fields__") else ()
        for part in parts:
            yield from tensors_in(part, depth - 1)


@dataclass(slots=True, eq=False)
class Entry:
    """A call, until it is known what it was for."""

    model: ModelSeen
    training: bool
    step: int
    batch: int
    size: int
    pointer: int
    output: Tensor | None  # detached, of evaluation calls only
    call: Call | None
    picks: np.ndarray | None
    outputs: np.ndarray | None
    label: np.ndarray | None = None
    moment: Moment | None = None
    answers: Answers | None = None
    judged: bool = False


@dataclass(slots=True)
class Kept:
    """What is kept of a network's tensors for the probes after the run: some samples of a training batch."""

    args: Any = None
    kwargs: dict[str, Any] = field(default_factory=dict)
    places: Tensor | None = None


class CallWatch:
    """The calls of all networks."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._open: list[Entry] = []
        self.recent: deque[Entry] = deque(maxlen=12)
        self.kept: dict[int, tuple[weakref.ref[nn.Module], Any, dict[str, Any]]] = {}  # by id of the record
        self._places: dict[tuple[int, int], Tensor] = {}
        self._keys: dict[int, set[bytes]] = {}
        self.last_batch: tuple[Any, list[Tensor]] | None = None  # a loader's record, and what it gave last
        self._batch = 0

    def called(self, model: ModelSeen, module: nn.Module, args: Any, kwargs: dict[str, Any], output: Any) -> None:
        """A network was called from outside."""
        given = [*tensors_in(args), *tensors_in(kwargs)][:4]
        made = list(tensors_in(output))[:8]
        out = made[0] if made else None
        learns = torch.is_grad_enabled() and any(t.requires_grad for t in made)
        entry = self._entry(model, module, given, out, learns)
        self._keep_for_probes(model, module, args, kwargs, given)
        if learns:
            if not model.outputs_of and out is not None:
                model.outputs_of = producers(out)
            self._open.append(entry)
            learnt = self._state.guarded(lambda gradient: self._resolve(entry, "train"))
            for tensor in made:
                if tensor.requires_grad:
                    tensor.register_hook(learnt)
        else:
            self._resolve(entry, "evaluate")
        self._state.event(events.TRAIN_FORWARD if learns else events.EVALUATE_FORWARD)
        self.recent.append(entry)
        self._label_from_loader(entry, given)

    def step_made(self) -> None:
        """What taught nothing until an update was for evaluation."""
        for entry in self._open:
            if entry.moment is None:
                self._resolve(entry, "evaluate")
        self._open.clear()

    def labelled(self, size: int, target: Tensor, output: Tensor | None = None) -> None:
        """A target was seen beside an output: it belongs to the latest call of that size, or of that very output."""
        for entry in reversed(self.recent):
            if entry.label is None and entry.size == size and (output is None or output.data_ptr() == entry.pointer):
                self._give_label(entry, target)
                return

    def lost(self, value: float, size: int) -> None:
        """A loss was computed without a gradient, on that many samples."""
        for entry in reversed(self.recent):
            if entry.moment == "evaluate" and entry.answers is not None and entry.size == size:
                entry.answers.losses.append(value)
                return

    # ---- inside

    def _entry(
        self, model: ModelSeen, module: nn.Module, given: list[Tensor], out: Tensor | None, learns: bool
    ) -> Entry:
        state = self._state
        first = given[0] if given else None
        moment: Moment = "train" if learns else "evaluate"
        size = first.shape[0] if first is not None and first.ndim else 0
        seen = model.call_counts[moment + ":seen"]
        close = seen < CALLS_KEPT or (state.dense and len(model.calls) < CALLS_MOST)
        model.call_counts[moment + ":seen"] += 1
        call = self._describe(module, given, out, moment) if close else None
        room = SAMPLES_KEPT[moment] > model.call_counts["kept:" + moment]
        picks = outputs = None
        if first is not None and size and room:
            picks = self._picks(first)
            model.call_counts["kept:" + moment] += size
            if out is not None and out.ndim and out.shape[0] == size and out.numel() <= size * OUTPUTS_KEPT:
                outputs = as_array(out)
        self._batch += 1
        kept = out.detach() if out is not None and not learns else None
        pointer = out.data_ptr() if out is not None and out.numel() else 0
        return Entry(model, module.training, state.step, self._batch, size, pointer, kept, call, picks, outputs)

    def _describe(self, module: nn.Module, given: list[Tensor], out: Tensor | None, moment: Moment) -> Call:
        first = given[0] if given else None
        means, stds = _by_channel(first)
        wanted = moment == "train"
        wrong = tuple(
            name for name, layer in module.named_modules() if isinstance(layer, MODED) and layer.training is not wanted
        )
        return Call(
            self._state.step + (1 if wanted else 0),
            moment,
            module.training,
            wrong,
            persons_site(),
            tuple(summarise(t) for t in given),
            means,
            stds,
            summarise(out) if out is not None else None,
            between_samples(out) if out is not None else float("nan"),
        )

    def _picks(self, first: Tensor) -> np.ndarray:
        rows = first.detach().reshape(first.shape[0], -1)
        key = (rows.shape[1], hash(first.device))
        if key not in self._places:
            self._places[key] = positions(rows.shape[1]).to(first.device)
        return as_array(rows.index_select(1, self._places[key]))

    def _resolve(self, entry: Entry, moment: Moment) -> None:
        if entry.moment is not None:
            return
        model, entry.moment = entry.model, moment
        model.call_counts[moment] += 1
        if entry.training is not (moment == "train"):
            model.call_counts[moment + ":wrong mode"] += 1
        if entry.call is not None:
            call = entry.call
            if call.moment != moment:
                call.moment, call.wrong_mode = moment, ()
            model.calls.append(call)
        store: Samples = model.train if moment == "train" else model.evaluate
        if entry.picks is not None:
            store.picks.append(entry.picks)
            store.labels.append(entry.label)
            store.outputs.append(entry.outputs)
            store.steps.append(entry.step)
            store.batches.append(entry.batch)
        keys = self._keys.setdefault(id(model), set())
        if moment == "train":
            if entry.picks is not None:
                keys.update(row.tobytes() for row in entry.picks)
        else:
            self._answered(entry, keys)

    def _answered(self, entry: Entry, keys: set[bytes]) -> None:
        answers = entry.model.answers
        if not answers or answers[-1].step != entry.step:
            answers.append(Answers(entry.step))
        entry.answers = answers[-1]
        entry.answers.samples += entry.size
        if entry.picks is not None and keys:
            entry.answers.compared += len(entry.picks)
            entry.answers.known += sum(row.tobytes() in keys for row in entry.picks)
        if entry.label is not None:
            self._judge(entry)

    def _label_from_loader(self, entry: Entry, given: list[Tensor]) -> None:
        if self.last_batch is None or not given:
            return
        loader, batch = self.last_batch
        place = next((k for k, t in enumerate(batch) if _same(t, given[0])), None)
        if place is None:
            return
        loader.used_for["train" if entry.moment is None else entry.moment] += 1
        others = [t for k, t in enumerate(batch) if k != place and t.ndim and t.shape[0] == entry.size]
        if others and entry.label is None:
            self._give_label(entry, others[0])

    def _give_label(self, entry: Entry, target: Tensor) -> None:
        if target.numel() > entry.size * OUTPUTS_KEPT and target.is_floating_point():
            return
        entry.label = as_array(target)
        if entry.moment is not None and entry.picks is not None:
            store = entry.model.train if entry.moment == "train" else entry.model.evaluate
            if entry.batch in store.batches:
                store.labels[store.batches.index(entry.batch)] = entry.label
        if entry.moment == "evaluate":
            self._judge(entry)

    def _judge(self, entry: Entry) -> None:
        if entry.answers is not None and entry.output is not None and entry.label is not None and not entry.judged:
            entry.judged = True
            judge(entry.answers, as_array(entry.output), entry.label)
            entry.output = None

    def _keep_for_probes(
        self, model: ModelSeen, module: nn.Module, args: Any, kwargs: Any, given: list[Tensor]
    ) -> None:
        if id(model) not in self.kept and given and sum(t.numel() for t in given) <= 20_000_000:
            copy = lambda t: t.detach().clone()  # noqa: E731
            self.kept[id(model)] = (
                weakref.ref(module),
                torch.utils._pytree.tree_map_only(Tensor, copy, args),
                torch.utils._pytree.tree_map_only(Tensor, copy, kwargs),
            )


def _same(kept: Tensor, given: Tensor) -> bool:
    if kept.shape[:1] != given.shape[:1]:
        return False
    return kept.data_ptr() == given.data_ptr() or (
        kept.numel() == given.numel() and kept.dtype.is_floating_point == given.dtype.is_floating_point
    )


def _by_channel(first: Tensor | None) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and spread along axis 1, over all samples of the batch."""
    if first is None or first.ndim < 2 or first.shape[1] > 64 or not first.is_floating_point() or first.numel() == 0:
        return (), ()
    values = first.detach().float()
    rest = [d for d in range(values.ndim) if d != 1]
    return tuple(values.mean(rest).tolist()), tuple(values.std(rest, correction=0).tolist())
