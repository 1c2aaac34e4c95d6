"""Several networks that answer as one: the mean of what they predict (Hansen and Salamon 1990, "Neural network ensembles")."""

import math
from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from osler.models.main_output import main_output
from osler.structures.errors import RecipeError

Raw = Float[Tensor, "batch outputs"]


class Ensemble(nn.Module):
    """Raw outputs that stand for the mean of the members' predictions.

    The mean is taken where predictions live, and written as raw outputs again, so that a task decodes an ensemble as it
    decodes a network: for `class` the log of the mean softmax, for `labels` the log-odds of the mean sigmoid, for
    `numbers` the mean output. The cross-entropy or squared error of the ensemble is then at most the mean of the
    members', on every picture (Jensen's inequality).
    """

    def __init__(self, members: Sequence[nn.Module], *, problem: Literal["class", "labels", "numbers"]) -> None:
        """The members see the same standardised pictures and give as many raw outputs in the same order.

        Raises:
            RecipeError: there is no member.
        """
        super().__init__()
        if not members:
            raise RecipeError("An ensemble needs one network at least.")
        self.members = nn.ModuleList(members)
        self.problem = problem

    def forward(self, images: Float[Tensor, "batch channels height width"]) -> Raw:
        """Raw outputs of shape (batch, outputs), in float32 or finer."""
        answers = torch.stack([main_output(member(images)).float() for member in self.members])
        if self.problem == "numbers":
            return answers.mean(0)
        if self.problem == "class":
            return _log_mean(F.log_softmax(answers, 2))
        return _log_mean(F.logsigmoid(answers)) - _log_mean(F.logsigmoid(-answers))


class Rescaled(nn.Module):
    """A network between two changes of unit: what it sees is `images * scale + shift`, what it says likewise.

    It lets a network that was trained with other channel statistics, or on numbers of another spread, sit in an
    ensemble. Each pair holds a number for each channel or for each output.
    """

    in_scale: Tensor
    in_shift: Tensor
    out_scale: Tensor
    out_shift: Tensor

    def __init__(
        self,
        network: nn.Module,
        *,
        inputs: tuple[Sequence[float], Sequence[float]] = ((1.0,), (0.0,)),
        outputs: tuple[Sequence[float], Sequence[float]] = ((1.0,), (0.0,)),
    ) -> None:
        super().__init__()
        self.network = network
        for name, values in zip(("in_scale", "in_shift"), inputs, strict=True):
            self.register_buffer(name, torch.tensor(values).view(1, -1, 1, 1))
        for name, values in zip(("out_scale", "out_shift"), outputs, strict=True):
            self.register_buffer(name, torch.tensor(values).view(1, -1))

    def forward(self, images: Float[Tensor, "batch channels height width"]) -> Raw:
        """Raw outputs of shape (batch, outputs)."""
        answer: Raw = main_output(self.network(images * self.in_scale + self.in_shift))
        return answer * self.out_scale + self.out_shift


def _log_mean(logs: Float[Tensor, "members batch outputs"]) -> Raw:
    """The log of the mean of what is given as logs."""
    return torch.logsumexp(logs, 0) - math.log(len(logs))
