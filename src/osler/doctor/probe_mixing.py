"""Where in a network samples of a batch get mixed: which layers' inputs and outputs of others move when one is replaced."""

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

LEAST = 4  # samples


def trial(call: Any) -> list[dict[str, Any]] | None:
    """The layers without children in the order of their calls, each with whether its input and its output were mixed.

    A tensor is mixed when, along no axis that holds the samples, what moved lies within the one that was replaced. An
    axis holds the samples if its length is a multiple of their number, as where time steps are folded into the batch.
    """
    if call.samples < LEAST:
        return None
    seen: list[list[tuple[str, str, Tensor | None, Tensor | None]]] = []
    for change in (None, _one_other):
        passed: list[tuple[str, str, Tensor | None, Tensor | None]] = []
        with ExitStack() as stack:
            for name, layer in call.module.named_modules():
                if not any(True for _ in layer.children()) or type(layer).__name__ == "MultiheadAttention":
                    handle = layer.register_forward_hook(_note(name, passed))
                    stack.callback(handle.remove)
            call(change)
        seen.append(passed)
    first, second = seen
    if len(first) != len(second):
        return None
    found = []
    for (name, kind, given, made), (_, _, given_then, made_then) in zip(first, second, strict=True):
        found.append(
            {
                "layer": name,
                "kind": kind,
                "given": _mixed(given, given_then, call.samples),
                "made": _mixed(made, made_then, call.samples),
            }
        )
    return found


def _one_other(tensor: "Tensor") -> "Tensor":
    changed = tensor.clone()
    changed[0] = tensor[-1].flip(-1) if tensor.ndim > 1 else tensor[-1]
    return changed


def _note(name: str, passed: list[Any]) -> Any:
    from osler.vitals.call_watch import tensors_in

    def hook(layer: Any, args: Any, output: Any) -> None:
        given, made = next(iter(tensors_in(args)), None), next(iter(tensors_in(output)), None)
        kept = [t.detach().clone() if t is not None and t.numel() < 5_000_000 else None for t in (given, made)]
        passed.append((name, type(layer).__name__, *kept))

    return hook


def _mixed(before: "Tensor | None", after: "Tensor | None", samples: int) -> bool | None:
    """Whether more than the first of the samples moved; None where nothing is known."""
    if before is None or after is None or before.shape != after.shape or not before.ndim:
        return None
    moved = (before.double() - after.double()).abs() > 1e-6 * (1e-12 + before.double().abs().max())
    if not moved.any():
        return False
    axes = [axis for axis, length in enumerate(before.shape[:3]) if length and length % samples == 0]
    if not axes:
        return None
    for axis in axes:
        per_sample = before.shape[axis] // samples
        rows = moved.movedim(axis, 0).flatten(1).any(1) if moved.ndim > 1 else moved
        if not rows[per_sample:].any() or not rows.view(-1, samples)[:, 1:].any():
            return False
    return True
