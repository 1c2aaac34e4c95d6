"""Dropout's claims: what one step changes, what evaluation computes, why the average over masks is better than one."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

from osler.lab.plain_training import accuracy_of, fit, mlp, seeded
from osler.lab.small_sets import digits
from osler.nn.dropout import OriginalDropout


@dataclass(frozen=True, slots=True)
class StepMovement:
    """How far the weights into and out of hidden units moved in one step, at most."""

    dropped_share: float
    dropped: float  # of units that the step's mask had hidden
    kept: float


def one_dropout_step(
    *, momentum: float = 0.0, weight_decay: float = 0.0, p: float = 0.5, seed: int = 0
) -> StepMovement:
    """Two steps of SGD on a network whose hidden units are hidden by one mask per mini-batch; the second step is
    measured.

    The first step uses another mask, so that momentum has something to remember. Source: Hinton et al. 2012, section 1.
    """
    data = digits(64, seed=seed)
    with seeded(seed):
        first, second = nn.Linear(64, 100), nn.Linear(100, 10)
    hide = nn.Dropout(p)
    optimizer = torch.optim.SGD(
        [*first.parameters(), *second.parameters()], lr=0.1, momentum=momentum, weight_decay=weight_decay
    )
    with seeded(seed):
        for step in range(2):
            mask = hide(torch.ones(1, 100))
            before = first.weight.detach().clone(), second.weight.detach().clone()
            optimizer.zero_grad()
            functional.cross_entropy(second(torch.tanh(first(data.x)) * mask), data.y).backward()
            optimizer.step()
            if step == 1:
                break
    hidden: Bool[Tensor, " units"] = mask[0] == 0
    moved = (first.weight.detach() - before[0]).abs().amax(1), (second.weight.detach() - before[1]).abs().amax(0)
    largest = torch.maximum(*moved)
    return StepMovement(float(hidden.float().mean()), float(largest[hidden].max()), float(largest[~hidden].min()))


@dataclass(frozen=True, slots=True)
class AtEvaluation:
    """Distances between the mean over masks and the answer that evaluation gives at once (root mean square)."""

    by_masks: dict[int, float]  # how many masks: distance, linear layer
    two_kinds: float  # original and inverted dropout, each in evaluation, after bringing them to one scale
    nonlinear: float  # the same distance with a ReLU behind the dropout: what no number of masks removes


def evaluation_is_the_mean(*, p: float = 0.5, masks: int = 4000, seed: int = 0) -> AtEvaluation:
    """A linear layer behind dropout: the mean over random masks tends to the one weighted answer (Srivastava et al.
    2014, section 4).
    """
    with seeded(seed):
        x, layer = torch.randn(8, 50, dtype=torch.float64), nn.Linear(50, 20, dtype=torch.float64)
        original, inverted = OriginalDropout(p), nn.Dropout(p)
        with torch.no_grad():
            draws = torch.stack([layer(original(x)) for _ in range(masks)])
            original.eval(), inverted.eval()
            answer = layer(original(x))
            curve = {m: _distance(draws[:m].mean(0), answer) for m in (masks // 64, masks // 8, masks)}
            kinds = _distance(original(x), (1 - p) * inverted(x))
            bent = _distance(draws.relu().mean(0), answer.relu())
    return AtEvaluation(curve, kinds, bent)


def _distance(a: Tensor, b: Tensor) -> float:
    return float((a - b).square().mean().sqrt())


@dataclass(frozen=True, slots=True)
class MaskEnsemble:
    """One trained network as many thinned ones, on held-out digits."""

    single_error: float  # mean over masks
    average_error: float  # of the averaged probabilities
    single_loss: float
    average_loss: float
    agreement_of_errors: (
        float  # mean correlation between the mistakes of two masks: 1 = the same mistakes, 0 = independent
    )


@torch.no_grad()
def mask_ensemble(*, masks: int = 100, p: float = 0.5, samples: int = 300, seed: int = 0) -> MaskEnsemble:
    """Averages the class probabilities of `masks` thinned networks out of one that was trained with dropout."""
    data = digits(samples, seed=seed)
    with torch.enable_grad():
        model = fit(mlp(64, 100, 10, dropout=lambda: nn.Dropout(p), seed=seed), data.x, data.y, epochs=40, seed=seed)
    model.train()
    with seeded(seed):
        each = torch.stack([model(data.x_test).softmax(1) for _ in range(masks)])
    wrong = (each.argmax(2) != data.y_test).float()
    mean = each.mean(0)
    loss = functional.nll_loss(each.log().flatten(0, 1), data.y_test.repeat(masks))
    some = wrong[wrong.std(1) > 0]
    between = torch.corrcoef(some)
    pairs = between[~torch.eye(len(some), dtype=torch.bool)]
    return MaskEnsemble(
        float(wrong.mean()),
        float((mean.argmax(1) != data.y_test).float().mean()),
        float(loss),
        float(functional.nll_loss(mean.log(), data.y_test)),
        float(pairs.mean()),
    )


@dataclass(frozen=True, slots=True)
class CoAdaptation:
    """How much hidden units lean on each other, for one network."""

    trained_with: float  # drop probability
    accuracy: float
    accuracy_of_halves: float  # mean, with a random half of the hidden units removed and the rest doubled
    correlation: float  # mean absolute correlation between two hidden units over held-out digits

    @property
    def lost(self) -> float:
        """Accuracy lost with half of the units."""
        return self.accuracy - self.accuracy_of_halves


@torch.no_grad()
def co_adaptation(p: float, *, samples: int = 300, halves: int = 20, seed: int = 0) -> CoAdaptation:
    """Units that are useful on their own survive the loss of others; those that correct each other's errors do not."""
    data = digits(samples, seed=seed)
    with torch.enable_grad():
        model = fit(mlp(64, 100, 10, dropout=lambda: nn.Dropout(p), seed=seed), data.x, data.y, epochs=40, seed=seed)
    hidden: Float[Tensor, "test units"] = model[:2](data.x_test)
    correlations = torch.corrcoef(hidden[:, hidden.std(0) > 0].t())
    off = correlations[~torch.eye(len(correlations), dtype=torch.bool)]
    with seeded(seed):
        masks = [2.0 * (torch.randperm(100) < 50) for _ in range(halves)]
    kept = [float((model[3](hidden * m).argmax(1) == data.y_test).float().mean()) for m in masks]
    return CoAdaptation(p, accuracy_of(model, data.x_test, data.y_test), sum(kept) / halves, float(off.abs().mean()))
