"""Restricted Boltzmann machines, trained by contrastive divergence (Hinton 2002; Hinton 2010, "A practical guide").

Visible units v and hidden units h have the energy E(v, h) = -b v - c h - h W v, and the probability of a pair is
exp(-E) over the sum of it for all pairs. Units of a side do not see each other: given one side, the other is drawn at
once. With Gaussian visible units of unit variance, -b v is (v - b)^2 / 2 instead (Hinton and Salakhutdinov 2006).
"""

from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

VisibleUnits = Literal["binary", "gaussian"]
START_SPREAD = 0.01  # of the weights (Hinton 2010, section 8.1)


class RestrictedBoltzmannMachine(nn.Module):
    """A machine whose upward half is a linear layer: that layer's weight is W and its bias is c.

    Training the machine trains the layer in place, so that afterwards a sigmoid over the layer gives the probabilities
    of the hidden units.

    Args:
        layer: from visible to hidden units, with a bias. Its weights are where the machine starts.
        units: of the visible side; binary ones may be given probabilities in [0, 1], Gaussian ones any number.
    """

    def __init__(self, layer: nn.Linear, *, units: VisibleUnits = "binary") -> None:
        super().__init__()
        if layer.bias is None:
            raise ValueError("The layer of a restricted Boltzmann machine needs a bias, that of the hidden units.")
        self.layer = layer
        self.units = units
        self.visible_bias = nn.Parameter(layer.weight.new_zeros(layer.in_features))

    def free_energy(self, visible: Float[Tensor, "batch visible"]) -> Float[Tensor, " batch"]:
        """F(v) = -log of the sum over h of exp(-E(v, h)): the hidden units are summed out (Hinton 2010, section 16.1)."""
        hidden = F.softplus(self.layer(visible)).sum(1)
        if self.units == "gaussian":
            return (visible - self.visible_bias).square().sum(1) / 2 - hidden
        return -visible @ self.visible_bias - hidden

    def hidden_given(self, visible: Float[Tensor, "batch visible"]) -> Float[Tensor, "batch hidden"]:
        """Probabilities that hidden units are 1."""
        return torch.sigmoid(self.layer(visible))

    def visible_given(self, hidden: Float[Tensor, "batch hidden"]) -> Float[Tensor, "batch visible"]:
        """Means of the visible units: probabilities that they are 1, or centres of unit variance."""
        field = F.linear(hidden, self.layer.weight.t(), self.visible_bias)
        return field if self.units == "gaussian" else torch.sigmoid(field)

    @torch.no_grad()
    def gibbs(
        self, visible: Float[Tensor, "batch visible"], steps: int = 1, *, mean_field: bool = False
    ) -> Float[Tensor, "batch visible"]:
        """Visible units after `steps` rounds of drawing the hidden ones and then the visible ones.

        With `mean_field` the visible units are not drawn but set to their means, as in Hinton and Salakhutdinov 2006:
        less noise, but no longer a chain whose end is distributed as the machine says.
        """
        for _ in range(steps):
            means = self.visible_given(torch.bernoulli(self.hidden_given(visible)))
            visible = means if mean_field else self._drawn(means)
        return visible

    def contrastive_divergence(
        self, visible: Float[Tensor, "batch visible"], steps: int = 1, *, mean_field: bool = False
    ) -> Float[Tensor, ""]:
        """A value whose gradient is the estimate CD-k of the gradient of the mean negative log-likelihood.

        The true gradient is the mean of dF on the data less the mean of dF over the machine's own distribution; here
        the latter is where k rounds of sampling lead from the data (Hinton 2002, equation 6). The value itself tells
        nothing: see `reconstruction_error`.
        """
        return (
            self.free_energy(visible).mean()
            - self.free_energy(self.gibbs(visible, steps, mean_field=mean_field)).mean()
        )

    @torch.no_grad()
    def reconstruction_error(self, visible: Float[Tensor, "batch visible"]) -> Float[Tensor, ""]:
        """Mean squared difference, a unit, between the visible units and their means after one round of means."""
        return (self.visible_given(self.hidden_given(visible)) - visible).square().mean()

    @torch.no_grad()
    def start(self, visible: Float[Tensor, "pictures visible"]) -> None:
        """Sets the visible bias so that with no weights the machine gives each unit its mean over the data.

        log(p / (1 - p)) for binary units, p held off 0 and 1 by one picture (Hinton 2010, section 8.1).
        """
        mean, rare = visible.mean(0), 1 / (len(visible) + 1)
        self.visible_bias.copy_(mean if self.units == "gaussian" else torch.logit(mean.clamp(rare, 1 - rare)))

    def _drawn(self, means: Tensor) -> Tensor:
        return means + torch.randn_like(means) if self.units == "gaussian" else torch.bernoulli(means)
