"""Where a NaN came from: the forward pass again, with an eye on every module."""

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from osler.structures.errors import NotFiniteError

if TYPE_CHECKING:
    from osler.tasks.task import Step
    from osler.training.state import Training

HUGE = 1e6


def explain_not_finite(training: "Training", step: "Step | None") -> NotFiniteError:
    """The error that says at which update the loss became NaN or infinite and what was the first to be so."""
    place = f"The loss became NaN or infinite at update {training.position.update + 1} (epoch {training.position.epoch + 1})."
    bad = [n for n, p in training.model.named_parameters() if not torch.isfinite(p).all()]
    if bad:
        cause = (
            f"The weights of {bad[0]} are no longer finite{f', nor those of {len(bad) - 1} more' if bad[1:] else ''}."
        )
        cause += f" The learning rate was {training.lr:g}: try a tenth of it, or train.clip_norm=1."
    elif step is None:
        cause = "The weights are still finite. Try a tenth of the learning rate, or train.precision=float32."
    else:
        cause = _first_in_forward(training.model, step)
    return NotFiniteError(f"{place} {cause}")


def _first_in_forward(model: nn.Module, step: "Step") -> str:
    """Runs the step's forward pass again and names the first module whose output is not finite, or that its input was not."""
    found: list[str] = []

    def watch(name: str) -> Any:
        def hook(module: nn.Module, inputs: Any, output: Any) -> None:
            if found or not _tensors(output):
                return
            if any(not torch.isfinite(t).all() for t in _tensors(output)):
                entered = any(not torch.isfinite(t).all() for t in _tensors(inputs))
                kind = type(module).__name__
                where = f"{name} ({kind})" if name else kind
                found.append(
                    f"The pictures given to {where} were not finite."
                    if entered
                    else f"{where} was the first to put out NaN or infinity, from finite inputs and weights{_size(module)}."
                )

        return hook

    handles = [m.register_forward_hook(watch(n)) for n, m in model.named_modules()]
    try:
        with torch.no_grad():
            step.losses()
    finally:
        for handle in handles:
            handle.remove()
    if found:
        return f"{found[0]} Try a tenth of the learning rate, train.clip_norm=1, or train.precision=float32."
    return "The network's outputs are finite: the loss itself made it. Look at the targets and at the loss."


def _size(module: nn.Module) -> str:
    """How large the module's own weights are, where they are larger than those of any network that learns."""
    largest = max((float(p.detach().abs().max()) for p in module.parameters(recurse=False)), default=0.0)
    return f" (the largest is {largest:.1e}: they have grown under the learning rate)" if largest > HUGE else ""


def _tensors(value: Any) -> list[Tensor]:
    if isinstance(value, Tensor):
        return [value] if value.is_floating_point() else []
    if isinstance(value, (list, tuple)):
        return [t for v in value for t in _tensors(v)]
    return []
