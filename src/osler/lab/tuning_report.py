"""When tuning goes badly: six questions in turn, each answered by changing that one thing and training again (TD18, TD24).

Loss, batch size, activation, learning rate, optimiser, over-fitting; the last has five answers of its own. What is said
of an item is what the change brought on held-out samples, not what a rule expects.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from statistics import mean

import torch
from torch import Tensor, nn
from torch.nn import functional

from osler.lab.plain_training import Loss, accuracy_of, fit, loss_of, mlp, seeded
from osler.lab.remedy_table import Verdict, judged
from osler.lab.small_sets import Split

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {"sigmoid": nn.Sigmoid, "tanh": nn.Tanh, "ReLU": nn.ReLU}


def squared_error(logits: Tensor, labels: Tensor) -> Tensor:
    """Between the logits and the one-hot label."""
    return functional.mse_loss(logits, functional.one_hot(labels, logits.shape[1]).float())


LOSSES: dict[str, Loss] = {"cross-entropy": functional.cross_entropy, "squared error": squared_error}


@dataclass(frozen=True, slots=True)
class Setting:
    """How a network is trained."""

    loss: str = "cross-entropy"
    batch: int = 32
    activation: str = "ReLU"
    rate: float = 0.1
    optimizer: str = "sgd"
    widths: tuple[int, ...] = (64,)
    l2: float = 0.0  # in the loss
    decay: float = 0.0  # apart from the gradient
    dropout: float = 0.0
    stop_early: bool = False
    epochs: int = 30


@dataclass(frozen=True, slots=True)
class Trained:
    """What came of a setting on one seed's data. `epochs_to` is None where the target was not met."""

    train: float
    test: float
    epochs_to: int | None


Change = Callable[[Setting, Split, int], Setting]
RATES = (1e-3, 1e-2, 3e-2, 0.1, 0.3, 1.0)


def best_rate(setting: Setting, data: Split, seed: int) -> Setting:
    """The rate of least training loss after a fifth of the epochs."""

    def loss(rate: float) -> float:
        model = _fitted(replace(setting, rate=rate, epochs=max(1, setting.epochs // 5)), data, seed)[0]
        value = loss_of(model, data.x, data.y, LOSSES[setting.loss])
        return value if value == value else float("inf")

    return replace(setting, rate=min(RATES, key=loss))


def _narrower(setting: Setting, data: Split, seed: int) -> Setting:
    return replace(setting, widths=(max(2, min(setting.widths) // 4),))


ITEMS: dict[str, tuple[str, Change]] = {
    "1 loss": ("cross-entropy", lambda s, d, k: replace(s, loss="cross-entropy")),
    "2 batch size": ("32", lambda s, d, k: replace(s, batch=32)),
    "3 activation": ("ReLU", lambda s, d, k: replace(s, activation="ReLU")),
    "4 learning rate": ("the best of a short trial", best_rate),
    "5 optimiser": ("Adam at 0.003", lambda s, d, k: replace(s, optimizer="adam", rate=3e-3)),
    "6a early stopping": ("a fifth held back", lambda s, d, k: replace(s, stop_early=True)),
    "6b regularisation": ("L2, 0.01 in the loss", lambda s, d, k: replace(s, l2=0.01)),
    "6c weight decay": ("weights lose a thousandth an update", lambda s, d, k: replace(s, decay=1e-3 / s.rate)),
    "6d dropout": ("0.5", lambda s, d, k: replace(s, dropout=0.5)),
    "6e structure": ("one layer, a quarter of the units", _narrower),
}


@dataclass(frozen=True, slots=True)
class Item:
    """One question of the six, and what its answer brought, seed by seed."""

    question: str
    answer: str
    before: tuple[Trained, ...]
    after: tuple[Trained, ...]

    @property
    def verdict(self) -> Verdict:
        """By the accuracy on held-out samples."""
        return judged([a.test - b.test for a, b in zip(self.after, self.before, strict=True)])

    @property
    def flagged(self) -> bool:
        """Whether the setting was not suitable here: the other one is better by two points, for every seed."""
        return self.verdict == "helps"

    def accuracies(self) -> tuple[float, float]:
        """Held out, before and after, over the seeds."""
        return mean(t.test for t in self.before), mean(t.test for t in self.after)

    def gaps(self) -> tuple[float, float]:
        """Training minus held-out accuracy, before and after."""
        return mean(t.train - t.test for t in self.before), mean(t.train - t.test for t in self.after)


def tuning_report(
    setting: Setting,
    draw: Callable[[int], Split],
    *,
    items: Sequence[str] = tuple(ITEMS),
    seeds: Sequence[int] = (0, 1, 2),
    target: float = 0.85,
) -> tuple[Item, ...]:
    """The items in order, each alone. `target`: held-out accuracy whose first epoch is kept."""
    sets = [draw(seed) for seed in seeds]

    def over(change: Change) -> tuple[Trained, ...]:
        return tuple(train(change(setting, d, k), d, k, target) for k, d in zip(seeds, sets, strict=True))

    before = over(lambda s, d, k: s)
    return tuple(Item(name, ITEMS[name][0], before, over(ITEMS[name][1])) for name in items)


def train(setting: Setting, data: Split, seed: int, target: float) -> Trained:
    """One training; accuracies in the end, or where it was stopped."""
    model, course = _fitted(setting, data, seed)
    met = next((epoch for epoch, accuracy in enumerate(course, 1) if accuracy >= target), None)
    return Trained(accuracy_of(model, data.x, data.y), accuracy_of(model, data.x_test, data.y_test), met)


def _fitted(setting: Setting, data: Split, seed: int) -> tuple[nn.Module, list[float]]:
    dropout = (lambda: nn.Dropout(setting.dropout)) if setting.dropout else None
    classes = int(data.y.max()) + 1
    sizes = (data.x.shape[1], *setting.widths, classes)
    model = mlp(*sizes, seed=seed, dropout=dropout, activation=ACTIVATIONS[setting.activation])
    held = len(data) // 5 if setting.stop_early else 0
    x, y = data.x[held:], data.y[held:]
    course: list[float] = []
    kept, least = model.state_dict(), float("inf")

    def watch() -> None:
        nonlocal kept, least
        course.append(accuracy_of(model, data.x_test, data.y_test))
        loss = loss_of(model, data.x[:held], data.y[:held]) if held else float("inf")
        if loss < least:
            kept, least = {k: v.clone() for k, v in model.state_dict().items()}, loss

    weights = [p for p in model.parameters() if p.ndim > 1]
    penalty = (lambda: setting.l2 * torch.stack([w.square().sum() for w in weights]).sum()) if setting.l2 else None
    fit(
        model, x, y, epochs=setting.epochs, batch=setting.batch, optimizer=lambda p: _optimizer(setting, list(p)),
        loss=LOSSES[setting.loss], penalty=penalty, after_epoch=watch, seed=seed,
    )  # fmt: skip
    if held:
        model.load_state_dict(kept)
    return model, course


def _optimizer(setting: Setting, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": setting.decay},
        {"params": [p for p in parameters if p.ndim == 1], "weight_decay": 0.0},
    ]
    if setting.optimizer == "adam":
        return torch.optim.AdamW(groups, lr=setting.rate)
    return torch.optim.SGD(groups, lr=setting.rate, momentum=0.9 if setting.optimizer == "momentum" else 0.0)


def ill_conditioned(seed: int, *, samples: int = 600, condition: float = 100.0) -> Split:
    """Twenty columns whose spreads lie between 1 and 1 / `condition`; all matter equally for which of four classes it is."""
    with seeded(seed):
        x = torch.randn(samples + 1000, 20)
        y = (x @ torch.randn(20, 4)).argmax(1)
        x = x * torch.logspace(0, -math.log10(condition), 20)[torch.randperm(20)]
    return Split(x[:samples], y[:samples], x[samples:], y[samples:])
