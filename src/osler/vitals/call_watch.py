"""Calls of whole networks: what went in, what came out, whether anything was learnt from it, and the labels that belong to it.

A call is for training when a gradient comes back to its output. Without a gradient, or where none came until the next
update, it was for evaluation.
"""

import weakref
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from osler.vitals import events
from osler.vitals.answers import disagree, judge
from osler.vitals.evidence import Answers, Call, ModelSeen, Moment, Samples
from osler.vitals.producers import producers
from osler.vitals.sites import persons_site
from osler.vitals.state import State
from osler.vitals.summaries import as_array, between_samples, positions, summarise

CALLS_KEPT = 40  # of each moment, besides those at sampled steps
CALLS_MOST = 400
SAMPLES_KEPT = {"train": 4_096, "evaluate": 2_048}
OUTPUTS_KEPT = 64
KEYS_KEPT = 16_384  # training samples that are known again
KEYS_COMPARED = 16  # of an evaluation batch that is not kept
KNOWN = 0.5  # share of a batch's samples that were trained on, from which it counts as training data
LAST_CALLS = 24
BATCHES_KEPT = 500
PASSES_OPEN = 6
LOGIT_LOSSES = {"binary_cross_entropy_with_logits", "multilabel_soft_margin_loss", "soft_margin_loss"}
SHARE_LOSSES = {"binary_cross_entropy", "mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss"}
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
    few: np.ndarray | None = None  # of a call that is not kept: what tells whether samples are known
    shape: tuple[int, ...] = ()
    last: Tensor | None = (
        None  # a small output, held while the call is among the last so that its memory is not used anew
    )
    label: np.ndarray | None = None
    moment: Moment | None = None
    answers: Answers | None = None
    judged: bool = False
    asks: bool = False  # whether the input itself wants a gradient, as in an attack or a saliency map


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
        self._keys: dict[int, set[int]] = {}
        self._all_known: set[int] = set()  # records whose training batches bring nothing new
        self._last: dict[int, deque[Entry]] = {}
        self._plainly_taught: set[int] = set()  # records that learnt from inputs that want no gradient
        self.last_batch: tuple[Any, list[Tensor]] | None = None  # a loader's record, and what it gave last
        self.listeners: list[Callable[[nn.Module, Any, Any, Any, bool], None]] = []  # told of every call
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
            self._last.setdefault(id(model), deque(maxlen=LAST_CALLS)).append(entry)
            learnt = self._state.guarded(lambda gradient: self._resolve(entry, "train"))
            for tensor in made:
                if tensor.requires_grad:
                    tensor.register_hook(learnt)
        else:
            self._resolve(entry, "evaluate")
        self._state.event(events.TRAIN_FORWARD if learns else events.EVALUATE_FORWARD)
        self.recent.append(entry)
        self._label_from_loader(entry, given)
        for listener in self.listeners:
            listener(module, args, kwargs, output, learns)

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

    def mixed(self, target: Tensor, output: Tensor) -> bool:
        """Whether an output meets a second, other target: of mixed samples no label is right, and none is kept."""
        for entry in reversed(self.recent):
            if entry.pointer != output.data_ptr() or entry.label is None or entry.picks is None:
                continue
            if not disagree(entry.label, as_array(target)):
                return False
            entry.label, store = None, entry.model.train
            if entry.batch in store.batches:
                store.labels[store.batches.index(entry.batch)] = None
            entry.pointer = -1
            return True
        return False

    def lost(self, value: float, size: int) -> None:
        """A loss was computed without a gradient, on that many samples."""
        for entry in reversed(self.recent):
            if entry.moment == "evaluate" and entry.answers is not None and entry.size == size:
                entry.answers.losses.append(value)
                return

    def finish(self) -> None:
        """Judges the answers of the last training calls."""
        self.step_made()
        for last in self._last.values():
            model, taught = last[0].model, [e for e in last if e.moment == "train" and e.label is not None]
            model.last_training = Answers(taught[0].step) if taught else None
            for entry in taught:
                if model.last_training is not None and entry.last is not None and entry.label is not None:
                    model.last_training.samples += entry.size
                    _judge_batch(model.last_training, as_array(entry.last), entry.label, self._edge())

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
        few = None
        if first is not None and size and not room:
            few = self._few(model, first, learns)
        self._batch += 1
        kept = out.detach() if out is not None and not learns else None
        last = out.detach() if out is not None and out.numel() <= size * OUTPUTS_KEPT else None
        pointer, shape = (out.data_ptr(), tuple(out.shape)) if out is not None and out.numel() else (0, ())
        entry = Entry(
            model, module.training, state.step, self._batch, size, pointer, kept, call, picks, outputs, few, shape, last
        )
        entry.asks = first is not None and first.requires_grad and first.is_leaf
        return entry

    def _few(self, model: ModelSeen, first: Tensor, learns: bool) -> np.ndarray | None:
        """What tells whether samples are known: of training batches while they bring something new, of others a few."""
        if not learns:
            return self._picks(first[:KEYS_COMPARED])
        known = len(self._keys.get(id(model), ()))
        return None if id(model) in self._all_known or known >= KEYS_KEPT else self._picks(first)

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
        if moment == "train" and not entry.asks:
            self._plainly_taught.add(id(model))
        if moment == "train" and entry.asks and id(model) in self._plainly_taught:
            return  # the gradient was for the input: what is attacked is not trained on, and may be held out
        store: Samples = model.train if moment == "train" else model.evaluate
        if entry.picks is not None:
            store.picks.append(entry.picks)
            store.labels.append(entry.label)
            store.outputs.append(entry.outputs)
            store.steps.append(entry.step)
            store.batches.append(entry.batch)
        keys = self._keys.setdefault(id(model), set())
        rows = entry.picks if entry.picks is not None else entry.few
        if moment == "evaluate":
            self._answered(entry, keys, rows)
        elif rows is not None and id(model) not in self._all_known:
            before = len(keys)
            keys.update(hash(row.tobytes()) for row in rows)
            if len(keys) == before and entry.few is not None:
                self._all_known.add(id(model))
        entry.few = None

    def _answered(self, entry: Entry, keys: set[int], rows: np.ndarray | None) -> None:
        compared = len(rows) if rows is not None and keys else 0
        known = sum(hash(row.tobytes()) in keys for row in rows) if rows is not None and keys else 0
        entry.answers = answers = self._pass(entry, known > KNOWN * compared)
        answers.samples += entry.size
        answers.in_training_mode += entry.size * entry.training
        answers.compared += compared
        answers.known += known
        if entry.label is not None:
            self._judge(entry)

    def _pass(self, entry: Entry, known: bool) -> Answers:
        """The pass to which an evaluation call belongs: of this step and line, over training data or others."""
        answers, site = entry.model.answers, entry.call.site if entry.call is not None else persons_site()
        for one in answers[-PASSES_OPEN:]:
            if one.step == entry.step and one.site == site and (one.known > KNOWN * one.compared) is known:
                return one
        answers.append(Answers(entry.step, site=site))
        return answers[-1]

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
            _judge_batch(entry.answers, as_array(entry.output), entry.label, self._edge())
            entry.output = None

    def _edge(self) -> float | None:
        """From where on a single score says one, by the losses that were called; None where they do not tell."""
        called = {loss.function for loss in self._state.evidence.losses}
        if called & LOGIT_LOSSES:
            return 0.0
        return 0.5 if called & SHARE_LOSSES else None

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


def _judge_batch(answers: Answers, output: np.ndarray, label: np.ndarray, edge: float | None) -> None:
    right, judged = answers.right, answers.judged
    judge(answers, output, label, edge)
    if answers.judged > judged and len(answers.batches) < BATCHES_KEPT:
        answers.batches.append((answers.right - right, answers.judged - judged))


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
