"""Remedies for over-fitting, the union of the textbooks' lists, each alone on one small set (rows TD20 to TD24, TD27).

The set: 150 handwritten digits of which a fifth have a wrong label. The network: three hidden layers, 54,000 weights,
trained until it knows the wrong labels by heart. Training accuracy is against the labels as given, so that a network
that learns only what is true stays at 80 %.
"""

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

from osler.lab.plain_training import MakeOptimizer, adam, fit, loss_of, mlp, seeded
from osler.lab.remedy_table import Outcome, RemedyTable, Trial, at_end, tried
from osler.lab.small_sets import Split, digits
from osler.nn.multi_task import SharedTrunk, soft_sharing_penalty
from osler.nn.side_heads import Outputs, SideHeads, side_losses
from osler.nn.tying import TransposedLinear
from osler.training.parameter_groups import parameter_groups

SAMPLES, OTHERS, WRONG, WIDTHS = 150, 450, 0.2, (256, 64, 256)
EPOCHS, BATCH, MEMBERS, TEST = 60, 25, 7, 1000
MISSING = -100  # a label that there is not: `cross_entropy` passes over it


@dataclass(frozen=True, slots=True)
class Task:
    """The small set, and 450 further digits that only some remedies may use. Held out: 1,000 digits, labels right."""

    few: Split
    others: Split
    seed: int


def small_set(seed: int) -> Task:
    """The same for every remedy of a seed."""
    data = digits(SAMPLES + OTHERS, test=TEST, seed=seed)
    generator = torch.Generator().manual_seed(seed)
    wrong = torch.rand(len(data), generator=generator) < WRONG
    shift = torch.randint(1, 10, (len(data),), generator=generator)
    data = replace(data, y=torch.where(wrong, (data.y + shift) % 10, data.y))
    return Task(data.first(SAMPLES), replace(data, x=data.x[SAMPLES:], y=data.y[SAMPLES:]), seed)


def network(seed: int, *widths: int, **options: object) -> nn.Sequential:
    """The sick one, or with other widths and parts."""
    return mlp(64, *(widths or WIDTHS), 10, seed=seed, **options)  # type: ignore[arg-type]


def trained(model: nn.Module, task: Task, **options: object) -> nn.Module:
    """By Adam at 0.001 for 60 epochs, unless said otherwise."""
    chosen = {"epochs": EPOCHS, "batch": BATCH, "optimizer": adam(1e-3), "seed": task.seed} | options
    return fit(model, task.few.x, task.few.y, **chosen)  # type: ignore[arg-type]


def _end(model: nn.Module, task: Task) -> Outcome:
    return at_end(model.eval(), task.few)


def weights_of(model: nn.Module) -> list[nn.Parameter]:
    """All weight matrices; biases are not penalised."""
    return [p for p in model.parameters() if p.ndim > 1]


def plain(task: Task) -> Outcome:
    """No remedy."""
    return _end(trained(network(task.seed), task), task)


def more_samples(task: Task) -> Outcome:
    """Four times as many, with as many wrong labels; as many updates."""
    both = Split(
        torch.cat([task.few.x, task.others.x]), torch.cat([task.few.y, task.others.y]), task.few.x_test, task.few.y_test
    )
    model = trained(network(task.seed), replace(task, few=both), epochs=EPOCHS * SAMPLES // len(both))
    return at_end(model.eval(), both)


class Shifted(nn.Module):
    """In training, pictures of 8x8 moved by up to a pixel each way, with some noise; in evaluation as they are."""

    def forward(self, x: Tensor) -> Tensor:
        """(batch, 64) to (batch, 64)."""
        if not self.training:
            return x
        padded = functional.pad(x.view(-1, 1, 8, 8), [1, 1, 1, 1], value=-1.0)
        rows, columns = (
            torch.randint(0, 3, (len(x), 1, 1)) + torch.arange(8).view(shape) for shape in ((8, 1), (1, 8))
        )
        moved = padded[torch.arange(len(x)).view(-1, 1, 1), 0, rows, columns].flatten(1)
        return moved + 0.1 * torch.randn_like(moved)


def augmentation(task: Task) -> Outcome:
    """Moves and noise, drawn anew each time."""
    return _end(trained(nn.Sequential(Shifted(), network(task.seed)), task), task)


def early_stopping(task: Task, *, held: int = 30) -> Outcome:
    """A fifth of the small set is held back; the weights of the epoch with the least loss on it are taken."""
    part = replace(task.few.first(SAMPLES - held), x_test=task.few.x[-held:], y_test=task.few.y[-held:])
    model = network(task.seed)
    best: tuple[float, dict[str, Tensor]] = (float("inf"), {})

    def keep() -> None:
        nonlocal best
        loss = loss_of(model, part.x_test, part.y_test)
        if loss < best[0]:
            best = loss, deepcopy(model.state_dict())

    trained(model, replace(task, few=part), after_epoch=keep)
    model.load_state_dict(best[1])
    return at_end(model, task.few, on=part)


def penalised(task: Task, penalty: Callable[[Tensor], Tensor]) -> Outcome:
    """A term of the loss over all weight matrices."""
    model = network(task.seed)
    return _end(trained(model, task, penalty=lambda: torch.stack([penalty(w) for w in weights_of(model)]).sum()), task)


def weight_decay(task: Task, *, decay: float = 1.0) -> Outcome:
    """Decoupled from the gradient (AdamW), on weights alone."""
    model = network(task.seed)
    groups = parameter_groups(model, lr=1e-3, weight_decay=decay, split=True)
    decayed: MakeOptimizer = lambda _: torch.optim.AdamW(groups)  # noqa: E731
    return _end(trained(model, task, optimizer=decayed), task)


def changed(task: Task, **options: object) -> Outcome:
    """The network with dropout or batch norm."""
    return _end(trained(network(task.seed, **options), task), task)


def narrower(task: Task, *, width: int = 16) -> Outcome:
    """One hidden layer of sixteen units."""
    return _end(trained(network(task.seed, width), task), task)


class Averaged(nn.Module):
    """Networks whose class probabilities are averaged; the answer is the logarithm of the average."""

    def __init__(self, members: Sequence[nn.Module]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, 64) to (batch, 10)."""
        return torch.stack([m(x).softmax(1) for m in self.members]).mean(0).clamp_min(1e-12).log()


def ensemble(task: Task, *, resampled: bool) -> Outcome:
    """Seven networks of different starts; `resampled`: each on a bootstrap of the set (bagging)."""
    members = []
    for k in range(MEMBERS):
        few = task.few
        if resampled:
            with seeded(1000 * task.seed + k):
                rows = torch.randint(len(few), (len(few),))
            few = replace(few, x=few.x[rows], y=few.y[rows])
        own = Task(few, task.others, 1000 * task.seed + k)
        members.append(trained(network(own.seed), own))
    return _end(Averaged(members), task)


class MainAnswer(nn.Module):
    """One of the answers of a network that gives several, as a classifier of its own."""

    def __init__(self, model: nn.Module, which: str) -> None:
        super().__init__()
        self.model, self.which = model, which

    def forward(self, x: Tensor) -> Tensor:
        """(batch, 64) to (batch, classes)."""
        outputs = self.model(x)
        return outputs.main if isinstance(outputs, Outputs) else outputs[self.which]


def auxiliary_classifier(task: Task) -> Outcome:
    """A head on the first hidden layer, weight 0.3, in training only."""
    layers = list(network(task.seed))
    stages = nn.Sequential(nn.Sequential(*layers[:2]), nn.Sequential(*layers[2:]))
    model = SideHeads(stages, {0: mlp(WIDTHS[0], 10, seed=task.seed + 1)})

    def both(outputs: Outputs, labels: Tensor) -> Tensor:
        return torch.stack(list(side_losses(outputs, labels, functional.cross_entropy).values())).sum()

    trained(model, task, loss=both)
    return _end(MainAnswer(model, "main"), task)


def tied(task: Task) -> Outcome:
    """The second layer's matrix is the first one's transpose."""
    model = network(task.seed)
    model[2] = TransposedLinear(model[0])  # type: ignore[arg-type]
    return _end(trained(model, task), task)


def shared(task: Task) -> Outcome:
    """The third layer is the first one again."""
    model = network(task.seed)
    model[4] = model[0]
    return _end(trained(model, task), task)


def hard_sharing(task: Task) -> Outcome:
    """One trunk also learns, from the other pictures, whether a digit is odd; their classes are not told."""
    trunk = nn.Sequential(*list(network(task.seed))[:-1])
    model = SharedTrunk(trunk, {n: mlp(WIDTHS[-1], c, seed=task.seed) for n, c in (("digit", 10), ("odd", 2))})
    x = torch.cat([task.few.x, task.others.x])
    labels = torch.stack([torch.cat([task.few.y, torch.full_like(task.others.y, MISSING)]), _odd(task, x)], dim=1)

    def both(outputs: dict[str, Tensor], y: Tensor) -> Tensor:
        known = (y[:, 0] != MISSING).sum().clamp_min(1)
        digit = functional.cross_entropy(outputs["digit"], y[:, 0], ignore_index=MISSING, reduction="sum") / known
        return digit + functional.cross_entropy(outputs["odd"], y[:, 1])

    chosen = {"epochs": EPOCHS, "batch": 4 * BATCH, "optimizer": adam(1e-3), "seed": task.seed}
    fit(model, x, labels, loss=both, **chosen)  # type: ignore[arg-type]
    return _end(MainAnswer(model, "digit"), task)


def soft_sharing(task: Task, *, strength: float = 0.01) -> Outcome:
    """A second network learns oddness from the other pictures; the parameters of the two are held close."""
    model, beside = network(task.seed), mlp(64, *WIDTHS, 2, seed=task.seed)
    odd = _odd(task, task.others.x)

    def with_the_other() -> Tensor:
        rows = torch.randint(len(odd), (BATCH,))
        other = functional.cross_entropy(beside(task.others.x[rows]), odd[rows])
        return other + strength * soft_sharing_penalty([model, beside])

    together: MakeOptimizer = lambda own: torch.optim.Adam([*own, *beside.parameters()], lr=1e-3)  # noqa: E731
    return _end(trained(model, task, optimizer=together, penalty=with_the_other), task)


def _odd(task: Task, x: Tensor) -> Tensor:
    """Of the pictures' labels as given: a wrong one is wrong here too, about half of the time."""
    given = torch.cat([task.few.y, task.others.y]) % 2
    return given[-len(x) :]


REMEDIES: dict[str, tuple[str, Callable[[Task], Outcome]]] = {
    "more samples": ("four times as many, as many updates", more_samples),
    "data augmentation": ("moved by up to a pixel, noise of 0.1", augmentation),
    "early stopping": ("a fifth held back, its best epoch taken", early_stopping),
    "L1 regularisation": ("0.001 in the loss", partial(penalised, penalty=lambda w: 1e-3 * w.abs().sum())),
    "L2 regularisation": ("0.01 in the loss", partial(penalised, penalty=lambda w: 1e-2 * w.square().sum())),
    "weight decay": ("1.0, AdamW", weight_decay),
    "dropout": ("half of each hidden layer", partial(changed, dropout=lambda: nn.Dropout(0.5))),
    "batch norm": ("before each activation", partial(changed, batch_norm=True)),
    "a smaller structure": ("one hidden layer of 16 units", narrower),
    "bagging": ("7 networks, each on a bootstrap", partial(ensemble, resampled=True)),
    "an ensemble by averaging": ("7 networks, different starts", partial(ensemble, resampled=False)),
    "auxiliary classifier": ("on the first hidden layer, weight 0.3", auxiliary_classifier),
    "parameter tying": ("second matrix is the first one's transpose", tied),
    "parameter sharing": ("third layer is the first again", shared),
    "multi-task, hard sharing": ("one trunk, oddness of 450 other digits", hard_sharing),
    "multi-task, soft sharing": ("two networks held close, oddness of 450 others", soft_sharing),
}


def overfitting_table(names: Sequence[str] = tuple(REMEDIES), *, seeds: Sequence[int] = (0, 1, 2)) -> RemedyTable:
    """Each remedy alone from the same start (where it leaves the network its shape), on the same set."""
    sick = over_seeds("none", "", plain, seeds)
    return RemedyTable(sick, tuple(over_seeds(n, *REMEDIES[n], seeds) for n in names))


def over_seeds(name: str, how: str, measure: Callable[[Task], Outcome], seeds: Sequence[int]) -> Trial:
    """One remedy, seed by seed."""
    return tried(name, how, lambda seed: measure(small_set(seed)), seeds)
