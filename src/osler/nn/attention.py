"""Attention over the positions of a feature map: soft, a weighted mean, and hard, one position (Xu et al. 2015, "Show,
attend and tell", ICML, arXiv 1502.03044, section 4; the estimator as Mnih et al. 2014, arXiv 1406.6247, use it).

Both score every position by a small network of the features there and, if there is one, of a query (what the network is
about to do: in Xu et al. the state of the language model). A softmax over positions makes the scores weights that sum to
one. Soft attention takes the weighted mean, and is trained by its gradient. Hard attention draws one position by these
weights; a drawn position has no gradient, so the scores learn from a reward, by REINFORCE (Williams 1992).
"""

from typing import Annotated, NamedTuple

import torch
from annotated_types import Ge, Lt
from jaxtyping import Float, Int
from torch import Tensor, nn


class SpatialWeights(nn.Module):
    """Weights of the positions of a map, from scores v . tanh(W a + U h): a the features there, h the query.

    Args:
        channels: of the map.
        hidden: of the scoring network.
        query: size of the query; 0 for none.
    """

    def __init__(self, channels: int, hidden: int, *, query: int = 0) -> None:
        super().__init__()
        self.of_features = nn.Conv2d(channels, hidden, 1)
        self.of_query = nn.Linear(query, hidden, bias=False) if query else None
        self.tanh = nn.Tanh()
        self.score = nn.Conv2d(hidden, 1, 1, bias=False)  # a bias would cancel in the softmax

    def forward(
        self, x: Float[Tensor, "batch channels height width"], query: Float[Tensor, "batch size"] | None = None
    ) -> Float[Tensor, "batch height width"]:
        """Logarithms of weights: their exponentials are positive and sum to one over each map."""
        if (query is None) != (self.of_query is None):
            raise ValueError("This attention takes " + ("no query." if self.of_query is None else "a query."))
        hidden = self.of_features(x)
        if self.of_query is not None:
            hidden = hidden + self.of_query(query)[:, :, None, None]
        scores = self.score(self.tanh(hidden)).squeeze(1)
        return scores.flatten(1).log_softmax(1).view_as(scores)


class SoftSpatialAttention(nn.Module):
    """The mean of a map's features, weighted by where to look; arguments as for `SpatialWeights`."""

    def __init__(self, channels: int, hidden: int, *, query: int = 0) -> None:
        super().__init__()
        self.weights = SpatialWeights(channels, hidden, query=query)

    def forward(
        self, x: Float[Tensor, "batch channels height width"], query: Float[Tensor, "batch size"] | None = None
    ) -> Float[Tensor, "batch channels"]:
        """One feature vector per picture. Where it looked: `self.weights(x, query).exp()`."""
        return torch.einsum("bhw,bchw->bc", self.weights(x, query).exp(), x)


class Glimpse(NamedTuple):
    """What hard attention saw."""

    features: Float[Tensor, "batch channels"]  # at the position
    position: Int[Tensor, "batch 2"]  # row and column
    log_probability: Float[Tensor, " batch"]  # of the position; it carries the gradient to the scores
    entropy: Float[Tensor, " batch"]  # of all weights, in nats


class HardSpatialAttention(nn.Module):
    """The features at one position: drawn in training, the most probable one in evaluation.

    Arguments as for `SpatialWeights`. Put `Reinforce` beside the loss, or the scores never learn.
    """

    def __init__(self, channels: int, hidden: int, *, query: int = 0) -> None:
        super().__init__()
        self.weights = SpatialWeights(channels, hidden, query=query)

    def forward(
        self, x: Float[Tensor, "batch channels height width"], query: Float[Tensor, "batch size"] | None = None
    ) -> Glimpse:
        """A position per picture, and what is there."""
        log_weights = self.weights(x, query).flatten(1)
        weights = log_weights.exp()
        drawn = torch.multinomial(weights.detach(), 1) if self.training else log_weights.argmax(1, keepdim=True)
        features = x.flatten(2).gather(2, drawn[:, None].expand(-1, x.shape[1], -1)).squeeze(2)
        position = torch.cat([drawn // x.shape[-1], drawn % x.shape[-1]], dim=1)
        entropy = -(weights * log_weights).sum(1)
        return Glimpse(features, position, log_weights.gather(1, drawn).squeeze(1), entropy)


class Reinforce(nn.Module):
    """The loss by which hard attention learns where to look (Xu et al. 2015, section 4.1).

    Minus (reward - baseline) * log probability of the drawn position, minus the weights' entropy times
    `entropy_weight`, averaged over the batch. In expectation its gradient is that of minus the mean reward, whatever the
    baseline; the baseline, a moving average of past rewards, makes it vary less. Add it to the task's own loss, through
    which everything behind the glimpse learns; the reward is a measurement, such as the log probability of the right
    class, and takes no gradient.

    Args:
        keep: of the moving average (0.9 in the paper).
        entropy_weight: above 0 it keeps the attention from settling too early.
    """

    baseline: Tensor
    seen: Tensor

    def __init__(
        self, *, keep: Annotated[float, Ge(0), Lt(1)] = 0.9, entropy_weight: Annotated[float, Ge(0)] = 0.0
    ) -> None:
        super().__init__()
        self.keep, self.entropy_weight = keep, entropy_weight
        self.register_buffer("baseline", torch.zeros(()))
        self.register_buffer("seen", torch.zeros((), dtype=torch.long))

    def forward(self, reward: Float[Tensor, " batch"], glimpse: Glimpse) -> Float[Tensor, ""]:
        """The loss of one batch. In training the baseline then learns its rewards; the first batch sets it."""
        reward = reward.detach()
        baseline = self.baseline.clone()
        if self.training:
            self._remember(reward.mean())
        learnt = (reward - baseline) * glimpse.log_probability
        return -(learnt + self.entropy_weight * glimpse.entropy).mean()

    @torch.no_grad()
    def _remember(self, mean: Float[Tensor, ""]) -> None:
        share = torch.where(self.seen == 0, 1.0, 1.0 - self.keep)
        self.baseline.lerp_(mean.to(self.baseline), share.to(self.baseline))
        self.seen.add_(1)
