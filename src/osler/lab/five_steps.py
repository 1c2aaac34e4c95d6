"""The five steps of a training, as our trainer goes through them: a log of each (row FB12).

1 initialise; then again and again 2 forward pass and loss, 3 backward pass, 4 update; 5 until it has converged.
"""

from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from osler.training.observer import Epoch, Observer, Updates
from osler.training.state import Training

STEPS = ("initialise", "forward and loss", "backward", "update", "convergence test")


@dataclass(frozen=True, slots=True)
class Logged:
    """Something that the trainer did."""

    step: int  # 1 to 5
    update: int  # updates made before it
    says: str

    def __str__(self) -> str:
        return f"step {self.step}, {STEPS[self.step - 1]} (after {self.update} updates): {self.says}"


class FiveSteps(Observer):
    """Logs what a training does. It looks through hooks and changes nothing."""

    def __init__(self) -> None:
        self.log: list[Logged] = []
        self.losses: list[float] = []  # of each update
        self.handles: list[Any] = []

    def started(self, training: Training) -> None:
        """The weights are there; from here on every pass is seen."""
        weights = sum(p.numel() for p in training.model.parameters())
        self._add(1, training, f"{weights:,} weights")
        self.handles.append(training.model.register_forward_hook(lambda *told: self._forward(training, *told)))
        for group in training.groups.values():
            self.handles.append(group.optimizer.register_step_post_hook(lambda *_: self._updated(training)))

    def updated(self, training: Training, updates: Updates) -> None:
        """The losses, as the trainer reads them."""
        first, *others = updates.losses.values()
        self.losses += [sum(values) for values in zip(first, *others, strict=True)]

    def epoch_ended(self, training: Training, epoch: Epoch) -> None:
        """The trainer looks whether it still gets better."""
        value = epoch.validation.get(training.monitor)
        better = "the best so far" if epoch.best else "no better"
        self._add(
            5,
            training,
            f"epoch {epoch.number}: {training.monitor} {value if value is None else f'{value:.4g}'}, {better}",
        )

    def stopped(self, training: Training) -> None:
        """Why it ended."""
        self._add(5, training, training.stop or "the last epoch is done")

    def closed(self) -> None:
        """Gives the hooks back."""
        for handle in self.handles:
            handle.remove()

    def _forward(self, training: Training, model: nn.Module, inputs: Any, output: Any) -> None:
        learns = (
            isinstance(output, Tensor) and output.requires_grad
        )  # unlike validation, and settling of norm statistics
        if learns and model is training.model:  # and no copy of it
            self._add(2, training, f"outputs of {tuple(output.shape)}")
            output.register_hook(lambda gradient: self._backward(training, gradient))

    def _backward(self, training: Training, gradient: Tensor) -> None:
        self._add(3, training, f"gradient at the outputs {float(gradient.norm()):.3g}")

    def _updated(self, training: Training) -> None:
        self._add(4, training, f"learning rate {training.lr:.3g}")

    def _add(self, step: int, training: Training, says: str) -> None:
        self.log.append(Logged(step, training.position.update, says))
