"""Are the gradients of a module or a loss right? Backpropagation against central differences, tensor by tensor."""

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from osler.anatomy.gradient_report import GradientReport, Kink, TensorCheck
from osler.anatomy.kinks import Crossing, KinkWatch
from osler.ops.central_differences import kink_near, refined_slope
from osler.ops.slopes import compare_slopes, gradients_of
from osler.structures.errors import RecipeError

STEP = 1e-5  # of a number's size or of its tensor's, whichever is larger
SMALL = 1e-3  # a tensor's gradient counts at least this share of the largest of all: below, it is rounding


def check_gradients(
    subject: nn.Module | Callable[..., Any],
    *inputs: Any,
    tolerance: float = 1e-4,
    elements: int = 32,
    step: float = STEP,
    seed: int = 0,
) -> GradientReport:
    """Checks every parameter and every floating-point input of a module or a loss, in double precision.

    The result may be a number, a tensor, or tuples, lists and dictionaries of them; what is no single number is multiplied
    by fixed random numbers and added up, so that no error cancels. Of a module a copy is looked at: weights, buffers, mode,
    gradients and PyTorch's random state stay as they are; modules that a function uses get their buffers back. Random
    numbers that the subject draws are the same in every call. A right backward pass has a relative error below 1e-6; a wrong
    sign or factor one above 1e-2.

        report = osler.check_gradients(MyLayer(), torch.randn(2, 3, 8, 8))
        assert report, report

    Args:
        subject: a module in the mode that it is in, or a function of tensors, such as a loss. Modules that a function
            uses must be in double precision.
        inputs: what it is called with; tensors of floating-point numbers are checked, also in tuples, lists and
            dictionaries, others are handed on.
        tolerance: of each tensor's relative error.
        elements: numbers of each tensor that are moved, the first half of them those of largest gradient: two calls each.
        step: of a move, relative.
        seed: of the random numbers.

    Raises:
        RecipeError: there is nothing to check, or the result is no tensor.
    """
    copy = deepcopy(subject).double() if isinstance(subject, nn.Module) else subject
    given = [_checked_input(value) for value in inputs]
    tensors = _named(copy, given)
    if not tensors:
        raise RecipeError(
            "There is nothing to check: no parameter wants a gradient, and no input is a floating-point tensor."
        )
    projected = _Projected(copy, given, seed)
    try:
        with torch.random.fork_rng(devices=_devices(tensors.values())):
            whole = compare_slopes(projected, list(tensors.values()))
            found = gradients_of(projected(), list(tensors.values()))
            gradients = {
                n: torch.zeros_like(t) if g is None else g for (n, t), g in zip(tensors.items(), found, strict=True)
            }
            largest = max(float(g.abs().max()) for g in gradients.values() if g.numel())
            watch = KinkWatch(copy if isinstance(copy, nn.Module) else nn.ModuleList(_modules(copy)))
            checker = _Checker(projected, watch, step, tolerance, max(SMALL * largest, 1e-12), elements)
            rows = tuple(checker.check(n, tensors[n], gradients[n]) for n in tensors if tensors[n].numel())
    finally:
        projected.restore()
    return GradientReport(rows, tolerance, whole)


class _Projected:
    """The subject as a function without arguments that gives one number, always with the same random numbers and buffers."""

    def __init__(self, subject: Callable[..., Any], given: Sequence[Any], seed: int) -> None:
        self.subject, self.given, self.seed = subject, given, seed
        buffers = [b for module in _modules(subject) for b in module.buffers()]
        self.buffers = [(b, b.clone()) for b in buffers]
        self.factors: list[Tensor] = []

    def __call__(self) -> Tensor:
        self.restore()
        torch.manual_seed(self.seed)
        parts = _tensors(self.subject(*self.given))
        if not parts:
            raise RecipeError("The result has no floating-point tensor, so there is no gradient to check.")
        if len(parts) == 1 and parts[0].numel() == 1:
            return parts[0].sum()
        if not self.factors:
            draw = torch.Generator().manual_seed(self.seed)
            self.factors = [torch.randn(p.shape, generator=draw, dtype=torch.float64).to(p.device) for p in parts]
        first, *others = [(p * f).sum() for p, f in zip(parts, self.factors, strict=True)]
        return sum(others, first)

    @torch.no_grad()
    def restore(self) -> None:
        """The buffers as they were."""
        for buffer, start in self.buffers:
            buffer.copy_(start)

    def value(self) -> float:
        """The number."""
        return float(self().detach())


@dataclass(slots=True)
class _Checker:
    """Goes through the numbers of a tensor."""

    projected: _Projected
    watch: KinkWatch
    step: float
    tolerance: float
    floor: float  # a tensor's gradient counts as at least so large
    elements: int

    def check(self, name: str, tensor: Tensor, gradient: Tensor) -> TensorCheck:
        """The tensor's row."""
        flat = gradient.reshape(-1)
        size = max(self.floor, float(flat.abs().max()))
        rms = float(tensor.detach().square().mean().sqrt())
        off, kinks = [], []
        for index in self._chosen(flat):
            step = self.step * (max(abs(float(tensor.detach().reshape(-1)[index])), rms) or 1.0)
            expected = float(flat[index])
            slope, kink = refined_slope(
                self.projected.value, tensor, index, step, expected=expected, within=self.tolerance / 10 * size
            )
            miss = abs(slope.central - expected)
            if kink:
                kinks.append(self._kink(name, tensor, index, step))
                if slope.bent:  # on the kink itself any slope between those of its sides is as good as another
                    low, high = sorted((slope.left, slope.right))
                    miss = max(0.0, low - expected, expected - high)
            off.append((miss, index, expected, slope.central))
        miss, index, expected, measured = max(off)
        error = miss / max(size, max(abs(m) for *_, m in off))
        place = _place(index, tensor)
        return TensorCheck(name, tuple(tensor.shape), len(off), error, place, expected, measured, tuple(kinks))

    def _chosen(self, gradient: Tensor) -> list[int]:
        """All numbers, or half of them by the size of their gradient and half evenly spread."""
        count = gradient.numel()
        if count <= self.elements:
            return list(range(count))
        half = max(1, self.elements // 2)
        spread = torch.linspace(0, count - 1, max(1, self.elements - half)).long()
        return sorted({*gradient.abs().topk(half).indices.tolist(), *spread.tolist()})

    def _kink(self, name: str, tensor: Tensor, index: int, step: float) -> Kink:
        offset = kink_near(self.projected.value, tensor, index, step)
        ways = [_moved(self.projected.value, tensor, index, by) for by in (-step, step)]
        units: list[Crossing] = self.watch.crossings(*ways)
        return Kink(name, _place(index, tensor), offset, tuple(units))


def _moved(run: Callable[[], float], tensor: Tensor, index: int, by: float) -> Callable[[], float]:
    """The run with one number moved; it is put back."""

    @torch.no_grad()
    def moved() -> float:
        flat = tensor.detach().view(-1)
        start = flat[index].clone()
        try:
            flat[index] = start + by
            return run()
        finally:
            flat[index] = start

    return moved


def _modules(subject: Any) -> list[nn.Module]:
    """The subject, or those that a function, a method or a partial function holds."""
    if isinstance(subject, nn.Module):
        return [subject]
    cells = [cell.cell_contents for cell in getattr(subject, "__closure__", None) or ()]
    held = [*cells, getattr(subject, "__self__", None), *getattr(subject, "args", ())]
    return [thing for thing in held if isinstance(thing, nn.Module)]


def _checked_input(value: Any) -> Any:
    """A copy in double precision that wants a gradient; what is no floating-point tensor stays."""
    if isinstance(value, Tensor) and value.is_floating_point():
        return value.detach().double().clone(memory_format=torch.contiguous_format).requires_grad_()
    if type(value) in (tuple, list):
        return type(value)(map(_checked_input, value))
    if type(value) is dict:
        return {key: _checked_input(part) for key, part in value.items()}
    return value


def _named(subject: Any, given: Sequence[Any]) -> dict[str, Tensor]:
    """Parameters by their names, then inputs by their place."""
    named: dict[str, Tensor] = {}
    if isinstance(subject, nn.Module):
        for name, parameter in subject.named_parameters():
            if parameter.requires_grad:
                parameter.data = parameter.data.contiguous()
                named[name] = parameter
    for place, value in enumerate(given):
        named |= _parts(f"input {place}", value)
    return named


def _parts(name: str, value: Any) -> dict[str, Tensor]:
    """Tensors that want a gradient, with the way to them as it is typed."""
    if isinstance(value, Tensor):
        return {name: value} if value.requires_grad else {}
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, tuple | list) else ()
    return {n: t for key, part in pairs for n, t in _parts(f"{name}[{key!r}]", part).items()}


def _tensors(value: Any) -> list[Tensor]:
    if isinstance(value, Tensor):
        return [value] if value.is_floating_point() else []
    if isinstance(value, dict):
        return _tensors(list(value.values()))
    if isinstance(value, tuple | list):
        return [t for part in value for t in _tensors(part)]
    return []


def _place(index: int, tensor: Tensor) -> tuple[int, ...]:
    return tuple(int(i) for i in torch.unravel_index(torch.tensor(index), tensor.shape))


def _devices(tensors: Any) -> list[int]:
    return sorted({t.device.index or 0 for t in tensors if t.device.type == "cuda"})
