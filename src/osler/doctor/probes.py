"""Trials with the networks after the run: what the run alone does not show.

Each network is called some times on a few samples of the first batch that it met. Its mode, its buffers and all random
states are put back. A trial that fails is left out: the person's code may not like being called so.
"""

import copy
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from osler.doctor import probe_mixing, probe_mode_gap, probe_time_gradient

if TYPE_CHECKING:
    from torch import Tensor, nn

    from osler.vitals.watch import Watch

SAMPLES = 16
SECONDS = 1.0  # for all trials of a network; the first call tells whether it can be done
DATASET_ITEMS = 12


def probe(watch: "Watch") -> None:
    """Fills `evidence.probes`: a dictionary by trial, and in it by the network's name or the loader's number."""
    import torch

    with watch.state.quiet(), torch.no_grad(), _random_states():
        for module, model in watch.networks():
            kept = watch.calls.kept.get(id(model))
            if not model.trained or kept is None:
                continue
            call = _Caller(module, kept[1], kept[2])
            for name, trial in TRIALS.items():
                _store(watch, name, model.name, partial(trial, call))
        for loader, seen in watch.loaders.seen.items():
            place = watch.evidence.loaders.index(seen)
            _store(watch, "dataset twice", place, partial(_dataset_twice, loader.dataset))


def _store(watch: "Watch", name: str, key: Any, trial: Callable[[], Any]) -> None:
    try:
        answer = trial()
    except Exception as error:
        watch.state.troubles[f"probe {name}: {type(error).__name__}: {error}"[:300]] += 1
        return
    if answer is not None:
        watch.evidence.probes.setdefault(name, {})[key] = answer


class TooSlow(Exception):  # noqa: N818 (no error: the trial is left out)
    """The network takes too long for trials."""


class _Caller:
    """Calls a network on a few samples, in a mode, and leaves it as it was."""

    def __init__(self, module: "nn.Module", args: Any, kwargs: Any) -> None:
        import torch
        from torch.utils._pytree import tree_flatten

        self.module = module
        tensors = [t for t in tree_flatten((args, kwargs))[0] if isinstance(t, torch.Tensor) and t.ndim]
        self.size = tensors[0].shape[0] if tensors else 0
        self.samples = min(SAMPLES, self.size)
        self.args, self.kwargs = self.changed(args, kwargs, lambda t: t[: self.samples], of_batch=self.size)
        self.real = all(t.is_floating_point() for t in tensors)  # sums of words or class numbers mean nothing
        self._spent = 0.0

    def changed(self, args: Any, kwargs: Any, change: Callable[["Tensor"], "Tensor"], of_batch: int) -> tuple[Any, Any]:
        """The inputs with every tensor of that many samples changed."""
        import torch
        from torch.utils._pytree import tree_map

        def one(value: Any) -> Any:
            return (
                change(value)
                if isinstance(value, torch.Tensor) and value.ndim and value.shape[0] == of_batch
                else value
            )

        return tree_map(one, args), tree_map(one, kwargs)

    def __call__(
        self, change: Callable[["Tensor"], "Tensor"] | None = None, *, training: bool = False, seed: int = 0
    ) -> "Tensor":
        """The network's first output; calls with the same seed draw the same random numbers."""
        import torch

        from osler.vitals.call_watch import tensors_in

        if self._spent > SECONDS:
            raise TooSlow
        args, kwargs = self.args, self.kwargs
        if change is not None:
            args, kwargs = self.changed(args, kwargs, change, of_batch=self.samples)
        began = time.perf_counter()
        with _left_as_it_was(self.module, training), _random_states():
            torch.manual_seed(seed)
            output = next(iter(tensors_in(self.module(*args, **kwargs)))).detach().clone()
        self._spent += time.perf_counter() - began
        return output


def _batch_mixing(call: _Caller) -> dict[str, float] | None:
    """How far the other samples' outputs move when one sample is replaced, beside how far outputs lie apart."""
    if call.samples < 4:
        return None
    plain = call()
    if plain.shape[:1] != (call.samples,):
        return None

    def one_other(tensor: "Tensor") -> "Tensor":
        changed = tensor.clone()
        changed[0] = tensor[-1].flip(-1) if tensor.ndim > 1 else tensor[-1]
        return changed

    moved = (call(one_other) - plain).abs().float()
    spread = float(plain.float().std(0).mean())
    again = float((call() - plain).abs().max())  # of a network that changes itself at every call
    return {
        "own": float(moved[0].max()),
        "others": float(moved[1:].max()),
        "again": again,
        "spread": spread,
        "batch": float(call.size),
    }


def _input_ignored(call: _Caller) -> dict[str, float] | None:
    """How far outputs move when every input is replaced by zeros, and by another sample."""
    if call.samples < 2:
        return None
    plain = call()
    if not plain.ndim:  # a loss that the network computes itself
        return None
    zeroed = float((call(lambda t: t * 0) - plain).abs().max())
    rolled = float((call(lambda t: t.roll(1, 0)) - plain).abs().max())
    spread = float(plain.float().std(0).max())
    return {"zeros": zeroed, "others": rolled, "size": float(plain.abs().max()), "spread": spread}


def _modes(call: _Caller) -> dict[str, Any] | None:
    """The outputs in training and in evaluation mode on the same samples, and the size of each layer's output in both."""
    if call.samples < 2:
        return None
    sizes: dict[bool, dict[str, float]] = {}
    outputs = {}
    for training in (True, False):
        with _layer_sizes(call.module) as sizes[training]:
            outputs[training] = call(training=training).float()
    a, b = outputs[True], outputs[False]
    if min(a.numel(), b.numel()) < 2:
        return None
    again = call(training=True, seed=1).float()
    scale = float(b.std()) or 1.0
    return {
        "difference": float((a - b).abs().mean()) / scale,
        "noise": float((a - again).abs().mean()) / scale,
        "agreement": float((a.argmax(1) == b.argmax(1)).float().mean())
        if a.ndim == 2 and a.shape[1] > 1
        else float("nan"),
        "spread": (float(a.std()), float(b.std())),
        "layers": {name: (size, sizes[False][name]) for name, size in sizes[True].items() if name in sizes[False]},
    }


def _linear(call: _Caller) -> float | None:
    """How far the network is from linear: |f(a+b) - f(a) - f(b) + f(0)| over the spread of f. Needs inputs of real numbers."""
    if call.samples < 4 or not call.real:
        return None
    both = call(lambda t: t + t.roll(1, 0))
    if both.numel() < 2:
        return None
    rest = call() + call(lambda t: t.roll(1, 0)) - call(lambda t: t * 0)
    return float((both - rest).abs().max() / both.float().std().clamp_min(1e-12))


TRIALS: dict[str, Callable[[_Caller], Any]] = {
    "batch mixing": _batch_mixing,
    "mixing layers": probe_mixing.trial,
    "input ignored": _input_ignored,
    "modes": _modes,
    "linear": _linear,
    "mode gap": probe_mode_gap.trial,
    "time gradient": probe_time_gradient.trial,
}


def _dataset_twice(dataset: Any) -> dict[str, Any] | None:
    """Whether the same item, asked for twice, is the same; and how far it is from itself and from other items then."""
    if not hasattr(dataset, "__getitem__") or len(dataset) < DATASET_ITEMS:
        return None
    items = [k * len(dataset) // DATASET_ITEMS for k in range(DATASET_ITEMS)]
    began = time.perf_counter()
    first = [_array(dataset[k]) for k in items]
    if time.perf_counter() - began > SECONDS:
        return None
    second = [_array(dataset[k]) for k in items]
    pairs = [
        (a, b) for a, b in zip(first, second, strict=True) if a is not None and b is not None and a.shape == b.shape
    ]
    if not pairs:
        return None
    differs = [not np.array_equal(a, b, equal_nan=True) for a, b in pairs]
    own = [float(np.abs(a - b).mean()) for a, b in pairs]
    others = [float(np.abs(a - b).mean()) for a, _ in pairs for _, b in pairs if a.shape == b.shape]
    return {"differs": float(np.mean(differs)), "own": float(np.mean(own)), "others": float(np.mean(others))}


def _array(item: Any) -> np.ndarray | None:
    import torch

    from osler.vitals.call_watch import tensors_in

    tensor = next(iter(tensors_in(item)), None)
    if tensor is None and isinstance(item, (list, tuple)) and item and isinstance(item[0], np.ndarray):
        return np.asarray(item[0])
    return tensor.detach().float().numpy() if isinstance(tensor, torch.Tensor) else None


# ---- leaving things as they were


@contextmanager
def _left_as_it_was(module: "nn.Module", training: bool) -> Iterator[None]:
    modes = [(part, part.training) for part in module.modules()]
    buffers = [(buffer, buffer.detach().clone()) for buffer in module.buffers()]
    module.train(training)
    try:
        yield
    finally:
        for part, mode in modes:
            part.training = mode
        for buffer, value in buffers:
            buffer.copy_(value)


@contextmanager
def _layer_sizes(module: "nn.Module") -> Iterator[dict[str, float]]:
    """Root mean squares of the outputs of all layers without children."""
    from osler.vitals.call_watch import tensors_in

    sizes: dict[str, float] = {}

    def note(name: str) -> Any:
        def hook(layer: Any, args: Any, output: Any) -> None:
            tensor = next(iter(tensors_in(output)), None)
            if tensor is not None and tensor.is_floating_point():
                sizes[name] = float(tensor.detach().float().pow(2).mean().sqrt())

        return hook

    handles = [
        layer.register_forward_hook(note(name))
        for name, layer in module.named_modules()
        if not any(True for _ in layer.children())
    ]
    try:
        yield sizes
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def _random_states() -> Iterator[None]:
    import torch

    before = random.getstate(), copy.deepcopy(np.random.get_state()), torch.get_rng_state()
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_available() and torch.cuda.is_initialized() else None
    try:
        yield
    finally:
        random.setstate(before[0])
        np.random.set_state(before[1])
        torch.set_rng_state(before[2])
        if cuda is not None:
            torch.cuda.set_rng_state_all(cuda)
