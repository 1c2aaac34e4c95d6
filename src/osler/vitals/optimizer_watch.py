"""Backward passes, updates and everything around them: gradients cleared or not, clipped, scaled; rates and schedules."""

import functools
import math
import weakref
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer, lr_scheduler
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook

from osler.vitals import events
from osler.vitals.call_watch import CallWatch
from osler.vitals.evidence import (
    Backward,
    Clipping,
    LossSample,
    LossSeen,
    OptimizerSeen,
    SchedulerSeen,
    Site,
    StepSample,
)
from osler.vitals.hand_watch import HandWatch
from osler.vitals.module_tree import exchanged
from osler.vitals.module_watch import ModuleWatch
from osler.vitals.producers import LOSS, graph, notes
from osler.vitals.sites import persons_site
from osler.vitals.state import Patches, State
from osler.vitals.summaries import evenly, summarise

LOOKED_FIRST = 30  # steps at which gradients are looked at in any case
TRACKED = 4  # parameters of an optimizer by which it is told whether its gradients were cleared
COPIED = 4_096  # values of a parameter by which its update is measured
RATES_KEPT = 20_000
READ_EVERY = 50  # losses are read from the device in packs


@dataclass(slots=True)
class _Optimizer:
    """What is remembered of an optimizer between its steps."""

    seen: OptimizerSeen
    cleared: bool = True
    stale: bool = False  # whether the step that runs was counted as stale: a closure may clear gradients inside of it
    before: list[Tensor] = field(default_factory=list)
    numbered: dict[int, str] = field(default_factory=dict)


class OptimizerWatch:
    """All optimizers and schedules of a program."""

    def __init__(self, state: State, modules: ModuleWatch, calls: CallWatch) -> None:
        self._state, self._modules, self._calls = state, modules, calls
        self._known: weakref.WeakKeyDictionary[Optimizer, _Optimizer] = weakref.WeakKeyDictionary()
        self._made_at: weakref.WeakKeyDictionary[Any, Site] = weakref.WeakKeyDictionary()
        self._schedulers: weakref.WeakKeyDictionary[Any, SchedulerSeen] = weakref.WeakKeyDictionary()
        self._backwards: dict[Site | None, Backward] = {}
        self._clippings: dict[tuple[str, Site | None], Clipping] = {}
        self._unread: list[tuple[Backward, int, Tensor]] = []
        self._own_losses: dict[Site | None, LossSeen] = {}
        self._handles: list[Any] = []
        self._inside_backward = False
        self._by_hand = HandWatch(state, modules, calls)

    def install(self, patches: Patches) -> None:
        """From now on backward passes and steps are seen."""
        guarded = self._state.guarded
        patches.replace(Optimizer, "__init__", functools.partial(_after_init, guarded(self._optimizer_made)))
        patches.replace(Optimizer, "zero_grad", functools.partial(_after, guarded(self._zeroed)))
        patches.replace(nn.Module, "zero_grad", functools.partial(_after, guarded(self._module_zeroed)))
        patches.replace(Tensor, "backward", self._wrap_backward)
        patches.replace(torch.autograd, "backward", self._wrap_backward)
        patches.replace(torch.autograd, "grad", functools.partial(_after, guarded(self._gradient_asked)))
        for name in ("clip_grad_norm_", "clip_grad_value_"):
            patches.replace(nn.utils, name, functools.partial(self._wrap_clip, name))
            patches.replace(nn.utils.clip_grad, name, functools.partial(self._wrap_clip, name))
        made = functools.partial(_after_init, guarded(self._schedule_made))
        for name in ("LRScheduler", "ReduceLROnPlateau", "SequentialLR", "ChainedScheduler"):
            patches.replace(getattr(lr_scheduler, name), "__init__", made)
        for kind in {k for k in vars(lr_scheduler).values() if isinstance(k, type) and "step" in vars(k)}:
            patches.replace(kind, "step", functools.partial(_after, guarded(self._scheduled)))
        patches.replace(torch.amp.GradScaler, "update", functools.partial(_after, guarded(self._scaled)))
        self._handles = [
            register_optimizer_step_pre_hook(guarded(self._before_step)),
            register_optimizer_step_post_hook(guarded(self._after_step)),
        ]

    def remove(self) -> None:
        """Takes the hooks off."""
        for handle in self._handles:
            handle.remove()
        self._handles.clear()

    def finish(self) -> None:
        """Reads what is still on the device, and says which optimizer holds which parameter."""
        self._read_losses()
        for optimizer, known in self._known.items():
            self._number(optimizer, known)

    def know(self, optimizer: Optimizer) -> None:
        """An optimizer that was made before the watch began."""
        self._know(optimizer)

    # ---- backward

    def _wrap_backward(self, original: Any) -> Any:
        before, after = self._state.guarded(self._before_backward), self._state.guarded(self._by_hand.backward_ended)

        @functools.wraps(original)
        def backward(*args: Any, **kwargs: Any) -> Any:
            if self._inside_backward or self._state.silent:
                return original(*args, **kwargs)
            before(args[0] if args else None)
            self._inside_backward = True
            try:
                return original(*args, **kwargs)
            finally:
                self._inside_backward = False
                after()

        return backward

    def _before_backward(self, value: Any) -> None:
        if isinstance(value, (list, tuple)) and value:
            value = value[0]
        if not isinstance(value, Tensor):
            return
        self._by_hand.backward_begins(value)
        state, site = self._state, persons_site()
        seen = self._backwards.get(site)
        if seen is None:
            seen = Backward(site)
            self._backwards[site] = seen
            state.evidence.backwards.append(seen)
        seen.calls += 1
        state.event(events.BACKWARD, site)
        self._note_clearing()
        if value.numel() == 1:
            self._unread.append((seen, state.step, value.detach().clone()))
            if len(self._unread) >= READ_EVERY or (state.dense and value.device.type == "cpu"):
                self._read_losses()
        if not seen.graph and value.grad_fn is not None:
            seen.graph = graph(value, self._names())
        self._own_loss(value, site)

    def _own_loss(self, value: Tensor, site: Site | None) -> None:
        """A loss that no function of PyTorch's made, though one may be among what it is made of."""
        if not self._state.dense or value.numel() != 1:
            return
        if value.grad_fn is not None and LOSS in notes(value.grad_fn):
            return
        loss = self._own_losses.get(site)
        if loss is None:
            loss = self._own_losses[site] = LossSeen("own", site)
            self._state.evidence.losses.append(loss)
        loss.counts["train"] += 1
        if len(loss.samples) < 500:
            loss.samples.append(
                LossSample(self._state.step + 1, "train", float(value.detach()), summarise(value), None)
            )

    def _read_losses(self) -> None:
        if not self._unread:
            return
        values = torch.stack([value.reshape(()).double() for _, _, value in self._unread]).tolist()
        for (seen, step, _), value in zip(self._unread, values, strict=True):
            seen.values.append((step, value))
            self._state.schedule.saw_loss(step + 1, value)
        self._unread.clear()

    def _gradient_asked(self, *args: Any, **kwargs: Any) -> None:
        self._state.event(events.GRADIENT)

    # ---- steps

    def _before_step(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        self._by_hand.stop()
        known = self._know(optimizer)
        seen, state = known.seen, self._state
        self._note_clearing()
        seen.steps += 1
        site = persons_site()
        if site is not None:
            seen.step_sites[site] += 1
        state.event(events.STEP, site)
        rate = float(optimizer.param_groups[0].get("lr", math.nan))
        if (not seen.rates or seen.rates[-1][1] != rate) and len(seen.rates) < RATES_KEPT:
            seen.rates.append((seen.steps, rate))
        if state.dense or seen.steps <= LOOKED_FIRST:
            self._look_at_gradients(optimizer, known)
        if state.dense:
            known.before = [evenly(p.detach(), COPIED).clone() for p in _held(optimizer)]

    def _look_at_gradients(self, optimizer: Optimizer, known: _Optimizer) -> None:
        seen = known.seen
        gradients = [p.grad for p in _held(optimizer) if p.grad is not None and not p.grad.is_sparse]
        seen.looked += 1
        if not gradients:
            seen.empty_steps += 1
        elif all(float(norm) == 0 for norm in torch._foreach_norm(gradients)):
            seen.zero_steps += 1
        known.stale = seen.steps > 1 and not known.cleared
        seen.stale_steps += known.stale

    def _after_step(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        known, state = self._know(optimizer), self._state
        if state.dense and len(known.before) == sum(1 for _ in _held(optimizer)):
            self._sample(optimizer, known)
        known.before = []
        known.cleared = known.stale = False
        self._calls.step_made()
        state.step_made()

    def _sample(self, optimizer: Optimizer, known: _Optimizer) -> None:
        held = list(_held(optimizer))
        names = self._names()
        labels = [names.get(id(p), f"parameter {k}") for k, p in enumerate(held)]
        with torch.no_grad():
            after = [evenly(p.detach(), COPIED) for p in held]
            moved = _norms([a.float() - b.float() for a, b in zip(after, known.before, strict=True)])
            weights = _norms([a.float() for a in after])
            gradients = [p.grad.to_dense() if p.grad is not None and p.grad.is_sparse else p.grad for p in held]
            present = [(k, g) for k, g in enumerate(gradients) if g is not None]
            sizes = _norms([g.float() for _, g in present])
            norms = dict(zip((labels[k] for k, _ in present), sizes, strict=True))
        scale = [math.sqrt(max(1.0, p.numel() / max(1, a.numel()))) for p, a in zip(held, after, strict=True)]
        sample = StepSample(
            self._state.step + 1,
            tuple(float(group.get("lr", math.nan)) for group in optimizer.param_groups),
            norms,
            {n: w * s for n, w, s in zip(labels, weights, scale, strict=True)},
            {n: m * s for n, m, s in zip(labels, moved, scale, strict=True)},
        )
        known.seen.samples.append(sample)
        if len(known.seen.samples) == 1 or len(held) != len(known.numbered):
            self._number(
                optimizer, known
            )  # networks may be known by now that were not when the optimizer was met first
        self._note_parameters(held, [held[k] for k, _ in present], sizes)

    def _note_parameters(self, held: list[Tensor], present: list[Tensor], norms: list[float]) -> None:
        """Counts, for each parameter, the looked-at steps with a gradient; by the tensor: two networks may use one name."""
        holds = {id(p) for p in held}
        sizes = dict(zip(map(id, present), norms, strict=True))
        for module, model in self._modules.models.items():
            for name, parameter in self._modules.named(module):
                seen = model.parameters.get(name)
                if seen is not None and id(parameter) in holds:
                    seen.steps_seen += 1
                    seen.gradients_seen += id(parameter) in sizes
                    seen.nonzero_gradients += sizes.get(id(parameter), 0.0) != 0

    # ---- what is around steps

    def _optimizer_made(self, optimizer: Optimizer) -> None:
        if (site := persons_site()) is not None:
            self._made_at.setdefault(optimizer, site)

    def _know(self, optimizer: Optimizer) -> _Optimizer:
        known = self._known.get(optimizer)
        if known is None:
            options = [{k: v for k, v in g.items() if k != "params" and _plain(v)} for g in optimizer.param_groups]
            seen = OptimizerSeen(type(optimizer).__name__, self._made_at.get(optimizer), options)
            known = self._known[optimizer] = _Optimizer(seen)
            self._state.evidence.optimizers.append(seen)
            self._number(optimizer, known)
        return known

    def _number(self, optimizer: Optimizer, known: _Optimizer) -> None:
        """Names the optimizer's parameters as far as their networks are known by now."""
        every = self._state.evidence.optimizers
        number = next(k for k, seen in enumerate(every) if seen is known.seen)
        for parameter in _held(optimizer):
            known.numbered.setdefault(id(parameter), f"parameter {len(known.numbered)}")
        names = self._names()
        known.seen.parameters = [names[key] for key in known.numbered if key in names]
        known.seen.strangers = sum(key not in names for key in known.numbered)
        for module, model in self._modules.models.items():
            for full, parameter in self._modules.named(module):
                if self._modules.was_exchanged(module, full, parameter):
                    model.parameters[full] = exchanged(parameter, full.rpartition(".")[0])
                record = model.parameters.get(full)  # none of one that was there before under another name
                if record is not None and id(parameter) in known.numbered and number not in record.optimizers:
                    record.optimizers.append(number)

    def _names(self) -> dict[int, str]:
        found: dict[int, str] = {}
        for module in self._modules.models:
            for full, parameter in self._modules.named(module):
                found.setdefault(id(parameter), full)
        return found

    def _note_clearing(self) -> None:
        """Whether gradients were cleared since the last step, by what became of them: calls may do it in many ways."""
        for optimizer, known in self._known.items():
            if known.cleared or not (self._state.dense or known.seen.steps <= LOOKED_FIRST):
                continue
            tracked = [p.grad for p in list(_held(optimizer))[:TRACKED] if p.requires_grad]
            known.cleared = not tracked or any(g is None or float(g.norm()) == 0 for g in tracked)

    def _zeroed(self, answer: Any, optimizer: Optimizer, *args: Any, **kwargs: Any) -> None:
        site = persons_site()
        self._state.event(events.ZERO_GRAD, site)
        known = self._know(optimizer)
        known.cleared = True
        known.seen.stale_steps -= known.stale
        known.stale = False
        if site is not None:
            known.seen.zero_sites[site] += 1

    def _module_zeroed(self, answer: Any, module: nn.Module, *args: Any, **kwargs: Any) -> None:
        self._state.event(events.ZERO_GRAD)
        self._note_clearing()

    def _wrap_clip(self, name: str, original: Any) -> Any:
        clipped = self._state.guarded(self._clipped)

        @functools.wraps(original)
        def clip(*args: Any, **kwargs: Any) -> Any:
            total = original(*args, **kwargs)
            limit = kwargs.get("max_norm", kwargs.get("clip_value", args[1] if len(args) > 1 else math.nan))
            clipped(name, float(limit), total)
            return total

        return clip

    def _clipped(self, name: str, limit: float, total: Any) -> None:
        site = persons_site()
        kind = "norm" if "norm" in name else "value"
        seen = self._clippings.get((kind, site))
        if seen is None:
            seen = self._clippings[kind, site] = Clipping(kind, limit, site)
            self._state.evidence.clippings.append(seen)
        seen.calls += 1
        self._state.event(events.CLIP, site)
        if isinstance(total, Tensor) and (self._state.dense or seen.calls <= 200) and len(seen.totals) < 2_000:
            seen.totals.append(float(total))
            seen.clipped += float(total) > limit

    def _schedule_made(self, scheduler: Any) -> None:
        options = {k: v for k, v in vars(scheduler).items() if not k.startswith("_") and _plain(v)}
        optimizer = getattr(scheduler, "optimizer", None)
        if optimizer is None or scheduler in self._schedulers:
            return
        number = self._state.evidence.optimizers.index(self._know(optimizer).seen)
        seen = SchedulerSeen(type(scheduler).__name__, persons_site(), number, options=options)
        self._schedulers[scheduler] = seen
        self._state.evidence.schedulers.append(seen)

    def _scheduled(self, answer: Any, scheduler: Any, *args: Any, **kwargs: Any) -> None:
        seen = self._schedulers.get(scheduler)
        if seen is None:  # its own first step, while it is made
            return
        site = persons_site()
        seen.steps += 1
        seen.before_first_update += self._state.step == 0
        if site is not None:
            seen.step_sites[site] += 1
        self._state.event(events.SCHEDULE, site)

    def _scaled(self, answer: Any, scaler: Any, *args: Any, **kwargs: Any) -> None:
        if len(self._state.evidence.scaler) < 5_000:
            self._state.evidence.scaler.append(float(scaler.get_scale()))


def _held(optimizer: Optimizer) -> Any:
    return (p for group in optimizer.param_groups for p in group["params"])


def _norms(tensors: list[Tensor]) -> list[float]:
    return torch.stack([n.double() for n in torch._foreach_norm(tensors)]).tolist() if tensors else []


def _plain(value: Any) -> bool:
    return value is None or isinstance(value, (bool, int, float, str)) or (isinstance(value, tuple) and len(value) < 9)


def _after(note: Any, original: Any) -> Any:
    @functools.wraps(original)
    def watched(*args: Any, **kwargs: Any) -> Any:
        answer = original(*args, **kwargs)
        note(answer, *args, **kwargs)
        return answer

    return watched


def _after_init(note: Any, original: Any) -> Any:
    @functools.wraps(original)
    def __init__(made: Any, *args: Any, **kwargs: Any) -> None:  # noqa: N807 (it stands for __init__)
        original(made, *args, **kwargs)
        note(made)

    return __init__
