"""Multi-task learning: one trunk for two tasks against one network each, and networks held close by a penalty."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor, nn
from torch.nn import functional

from osler.lab.plain_training import accuracy_of, fit, mlp, seeded
from osler.lab.small_sets import Split, digits
from osler.nn.multi_task import SharedTrunk, soft_sharing_penalty

MISSING = -100  # a label that there is not: `cross_entropy` passes over it


@dataclass(frozen=True, slots=True)
class HardSharing:
    """Accuracies of the parity task (is the digit odd?) on few samples, alone and beside the ten-class task."""

    alone: tuple[float, float]  # training, test; means over seeds
    shared: tuple[float, float]
    other_task: float  # test accuracy of the ten-class task on the shared trunk

    @property
    def gaps(self) -> tuple[float, float]:
        """Training minus test accuracy, alone and shared."""
        return self.alone[0] - self.alone[1], self.shared[0] - self.shared[1]


def hard_sharing(
    *, samples: int = 50, others: int = 500, seeds: Sequence[int] = (0, 1, 2), epochs: int = 30
) -> HardSharing:
    """`samples` pictures have a label of parity, `others` more only one of the ten classes; the trunk learns from all
    of them.

    The same trunk, start and number of updates alone and shared. Source: Caruana 1997, "Multitask learning", section 2.
    """
    alone, shared, other = [], [], []
    for seed in seeds:
        data = digits(samples + others, seed=seed)
        odd = Split(data.x[:samples], data.y[:samples] % 2, data.x_test, data.y_test % 2)
        labels = torch.stack([data.y % 2, data.y], dim=1)
        labels[samples:, 0] = MISSING
        both = SharedTrunk(_trunk(seed), {"odd": _head(2, seed), "digit": _head(10, seed)})
        updates = epochs * (-(-len(data) // 50))
        single = nn.Sequential(_trunk(seed), _head(2, seed))
        fit(single, odd.x, odd.y, epochs=updates, batch=50, seed=seed)
        fit(both, data.x, labels, epochs=epochs, batch=50, loss=_both_losses, seed=seed)  # type: ignore[arg-type]
        alone.append(_train_and_test(single, odd))
        shared.append(_train_and_test(nn.Sequential(both.trunk, both.heads["odd"]), odd))
        other.append(accuracy_of(nn.Sequential(both.trunk, both.heads["digit"]), data.x_test, data.y_test))
    return HardSharing(_mean(alone), _mean(shared), sum(other) / len(other))


def _trunk(seed: int) -> nn.Module:
    return nn.Sequential(*mlp(64, 64, 32, seed=seed), nn.ReLU())


def _head(classes: int, seed: int) -> nn.Module:
    return mlp(32, classes, seed=seed)


def _both_losses(outputs: dict[str, Tensor], labels: Int[Tensor, "batch 2"]) -> Tensor:
    known = (labels[:, 0] != MISSING).sum().clamp_min(1)
    odd = functional.cross_entropy(outputs["odd"], labels[:, 0], ignore_index=MISSING, reduction="sum") / known
    return odd + functional.cross_entropy(outputs["digit"], labels[:, 1])


def _train_and_test(model: nn.Module, data: Split) -> tuple[float, float]:
    return accuracy_of(model, data.x, data.y), accuracy_of(model, data.x_test, data.y_test)


def _mean(pairs: list[tuple[float, float]]) -> tuple[float, float]:
    return sum(a for a, _ in pairs) / len(pairs), sum(b for _, b in pairs) / len(pairs)


@dataclass(frozen=True, slots=True)
class SoftSharing:
    """Two networks of two tasks, trained under one coefficient of the penalty on their distance."""

    coefficient: float
    distance: float  # root of the penalty at the end
    from_alone: float  # largest difference of any parameter to the networks trained each on its own


def soft_sharing(
    coefficients: Sequence[float] = (0.0, 1e-3, 1e-2, 1e-1, 1.0), *, samples: int = 100, steps: int = 100, seed: int = 0
) -> list[SoftSharing]:
    """Small digits (0 to 4) and large ones (5 to 9) by a network each, their parameters pulled together."""
    sets = [digits(samples, test=100, classes=c, seed=seed) for c in ((0, 1, 2, 3, 4), (5, 6, 7, 8, 9))]
    apart = [_descend([mlp(64, 32, 5, seed=seed + k)], [s], 0.0, steps)[0] for k, s in enumerate(sets)]
    rows = []
    for coefficient in coefficients:
        models = _descend([mlp(64, 32, 5, seed=seed + k) for k in range(2)], sets, coefficient, steps)
        with torch.no_grad():
            distance = float(soft_sharing_penalty(models).sqrt())
            away = [
                float((p - q).abs().max())
                for m, a in zip(models, apart, strict=True)
                for p, q in zip(m.parameters(), a.parameters(), strict=True)
            ]
        rows.append(SoftSharing(coefficient, distance, max(away)))
    return rows


def _descend(models: list[nn.Sequential], sets: list[Split], coefficient: float, steps: int) -> list[nn.Sequential]:
    """All networks together, by gradient descent on the sum of their losses and the penalty."""
    optimizer = torch.optim.SGD([p for m in models for p in m.parameters()], lr=0.1)
    with seeded(0):
        for _ in range(steps):
            optimizer.zero_grad()
            losses = [functional.cross_entropy(m(s.x), s.y) for m, s in zip(models, sets, strict=True)]
            loss = torch.stack(losses).sum()
            if coefficient:
                loss = loss + coefficient * soft_sharing_penalty(models)
            loss.backward()
            optimizer.step()
    return models
