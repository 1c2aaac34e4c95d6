"""A trial after the run: does a network mean the same thing in training as in evaluation?

What dropout puts out is, on average over many passes, what it puts out in evaluation. So the mean of some training
passes is laid beside an evaluation pass, layer by layer; and two evaluation passes beside each other, which differ only
where chance plays in evaluation too.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor, nn

PASSES = 6
VALUES = 16_384  # of a layer's output that are looked at
SAME = 1e-5  # relative difference that is rounding
Seen = dict[str, tuple["Tensor | None", "Tensor"]]


def trial(call: Any) -> dict[str, Any] | None:
    """Lays training passes beside evaluation passes on the same few samples.

    Returns:
        `outputs`: difference between the mean training pass and the evaluation pass, over the spread of the latter
            between samples; `noise`: the standard error of that mean, in the same unit; `agreement`: share of samples
            with the same highest score (NaN without classes).
        `first`: the first layer whose output differs between the modes, None where there is none; `first gain`: by what
            factor its mean output in training is that of evaluation, and the standard error of that.
        `gains`: of each layer without parameters, input to output: the factor in training, the standard error of it, and
            the factor in evaluation.
        `random evaluation`: difference between two evaluation passes, over the spread; `first random`: the first layer
            that differs between them.
    """
    if call.samples < 2:
        return None
    with _outputs(call.module) as seen:
        evaluations = [_pass(call, seen, training=False, seed=seed) for seed in (0, 1)]
        trainings = [_pass(call, seen, training=True, seed=0)]
        if not (
            np.array_equal(trainings[0][0], evaluations[0][0]) and np.array_equal(evaluations[1][0], evaluations[0][0])
        ):
            trainings += [_pass(call, seen, training=True, seed=seed) for seed in range(1, PASSES)]
    answer, layers = evaluations[0]
    outputs = np.stack([output for output, _ in trainings]) if _alike([o for o, _ in trainings]) else None
    if outputs is None or outputs.shape[1:] != answer.shape or not answer.ndim:
        return None
    spread = float(np.sqrt(answer.reshape(len(answer), -1).var(0).mean())) or 1.0
    mean = outputs.mean(0)
    first, gain = _first_difference([s for _, s in trainings], layers)
    return {
        "outputs": _rms(mean - answer) / spread,
        "noise": _rms(outputs.std(0, ddof=1)) / spread / len(outputs) ** 0.5 if len(outputs) > 1 else 0.0,
        "agreement": _agreement(mean, answer),
        "first": first,
        "first gain": gain,
        "gains": _gains([s for _, s in trainings], layers),
        "random evaluation": _rms(evaluations[1][0] - answer) / spread
        if evaluations[1][0].shape == answer.shape
        else 0.0,
        "first random": _first_random(evaluations[1][1], layers),
    }


def _pass(call: Any, seen: Seen, *, training: bool, seed: int) -> tuple[np.ndarray, Seen]:
    seen.clear()
    output = call(training=training, seed=seed).float().cpu().numpy()
    return output, dict(seen)


@contextmanager
def _outputs(module: "nn.Module") -> Iterator[Seen]:
    """By layer without children, in the order of their first call: what went in (if it has no parameters) and came out."""
    from osler.vitals.call_watch import tensors_in

    seen: Seen = {}

    def few(tensor: "Tensor") -> "Tensor":
        flat = tensor.detach().reshape(-1).float()
        return flat[:: -(-flat.numel() // VALUES)].clone() if flat.numel() > VALUES else flat.clone()

    def note(name: str, plain: bool) -> Any:
        def hook(layer: Any, args: Any, output: Any) -> None:
            made, given = next(iter(tensors_in(output)), None), next(iter(tensors_in(args)), None)
            if name in seen or made is None or not made.is_floating_point():
                return
            same = plain and given is not None and given.is_floating_point() and given.shape == made.shape
            seen[name] = (few(given) if same and given is not None else None, few(made))

        return hook

    handles = [
        layer.register_forward_hook(note(name, not any(True for _ in layer.parameters())))
        for name, layer in module.named_modules()
        if not any(True for _ in layer.children())
    ]
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()


def _first_difference(trainings: list[Seen], evaluation: Seen) -> tuple[str | None, tuple[float, float]]:
    for name, (_, steady) in evaluation.items():
        made = [seen[name][1] for seen in trainings if name in seen and seen[name][1].shape == steady.shape]
        if len(made) < len(trainings):
            continue
        size = float(steady.norm())
        if size and max(float((one - steady).norm()) for one in made) > SAME * size:
            return name, _mean_and_error([float(one @ steady) / size**2 for one in made])
    return None, (1.0, 0.0)


def _first_random(again: Seen, evaluation: Seen) -> str | None:
    for name, (_, steady) in evaluation.items():
        same = name in again and again[name][1].shape == steady.shape
        if same and float((again[name][1] - steady).norm()) > SAME * float(steady.norm()):
            return name
    return None


def _gains(trainings: list[Seen], evaluation: Seen) -> dict[str, tuple[float, float, float]]:
    found = {}
    for name, steady in evaluation.items():
        training = [g for seen in trainings if name in seen and (g := _gain(seen[name])) is not None]
        still = _gain(steady)
        if training and still is not None:
            found[name] = (*_mean_and_error(training), still)
    return found


def _mean_and_error(values: list[float]) -> tuple[float, float]:
    error = float(np.std(values, ddof=1)) / len(values) ** 0.5 if len(values) > 1 else 0.0
    return float(np.mean(values)), error


def _gain(seen: "tuple[Tensor | None, Tensor]") -> float | None:
    given, made = seen
    if given is None or given.shape != made.shape or not float(given @ given):
        return None
    return float(made @ given) / float(given @ given)


def _alike(outputs: list[np.ndarray]) -> bool:
    return len({o.shape for o in outputs}) == 1 and all(np.isfinite(o).all() for o in outputs)


def _agreement(a: np.ndarray, b: np.ndarray) -> float:
    return float((a.argmax(1) == b.argmax(1)).mean()) if a.ndim == 2 and a.shape[1] > 1 else float("nan")


def _rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(values, dtype=np.float64)))) if values.size else 0.0
