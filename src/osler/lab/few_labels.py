"""Only few labels: what unlabelled pictures, another source, or a say in what is labelled add to ten labels a class."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import mean, stdev

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from osler.lab.plain_training import accuracy_of, adam, fit, mlp, seeded
from osler.lab.rendered_digits import rendered_digits
from osler.lab.small_sets import digits

Pictures = Float[Tensor, "n 64"]
Classes = Int[Tensor, " n"]


@dataclass(frozen=True, slots=True)
class FewLabels:
    """What a method may use: some labelled pictures, many without labels, and an oracle that can be asked."""

    x: Pictures
    y: Classes
    pool: Pictures  # without labels
    answers: Classes  # of the pool: for the oracle only
    seed: int

    def ask(self, rows: Int[Tensor, " asked"]) -> Classes:
        """The oracle's labels for some rows of the pool."""
        return self.answers[rows]


@dataclass(frozen=True, slots=True)
class Method:
    """Accuracy on held-out digits over seeds, and how many labels were used."""

    name: str
    accuracies: tuple[float, ...]
    labels: int

    @property
    def mean(self) -> float:
        """Over the seeds."""
        return mean(self.accuracies)

    @property
    def spread(self) -> float:
        """The standard deviation over the seeds."""
        return stdev(self.accuracies)


def few_labels_table(
    *, per_class: int = 10, seeds: Sequence[int] = (0, 1, 2), names: Sequence[str] | None = None
) -> list[Method]:
    """Every method on the same splits of the digits: `per_class` labels for each of the ten, about 1,300 without, 400
    held out.
    """
    table = []
    for name in names or METHODS:
        scores, used = [], 0
        for seed in seeds:
            data = digits(1397, test=400, seed=seed)
            known = _some_of_each(data.y, per_class)
            rest = torch.ones(len(data.y), dtype=torch.bool).index_fill(0, known, False)
            few = FewLabels(data.x[known], data.y[known], data.x[rest], data.y[rest], seed)
            model, used = METHODS[name](few)
            scores.append(accuracy_of(model, data.x_test, data.y_test))
        table.append(Method(name, tuple(scores), used))
    return table


def _some_of_each(y: Classes, per_class: int) -> Int[Tensor, " kept"]:
    return torch.cat([(y == c).nonzero()[:per_class, 0] for c in y.unique()])


def _network(seed: int) -> nn.Sequential:
    return mlp(64, 128, 10, seed=seed)


def supervised(few: FewLabels) -> tuple[nn.Module, int]:
    """The labelled pictures alone."""
    return fit(_network(few.seed), few.x, few.y, epochs=60, batch=25, seed=few.seed), len(few.x)


def transferred(few: FewLabels) -> tuple[nn.Module, int]:
    """One pass over digits that were drawn in fonts, then the labelled ones. More passes bind it to the fonts."""
    model = fit(_network(few.seed), *rendered_digits(), epochs=1, seed=few.seed)
    return fit(model, few.x, few.y, epochs=60, batch=25, seed=few.seed), len(few.x)


def pseudo_labelled(few: FewLabels) -> tuple[nn.Module, int]:
    """The network's own answers on the pool as targets, their weight rising from 0 (Lee 2013, equations 15 and 16)."""
    model = _network(few.seed)
    optimizer = adam()(model.parameters())
    with seeded(few.seed):
        for step in range(400):
            labelled, free = torch.randint(len(few.x), (25,)), torch.randint(len(few.pool), (100,))
            weight = min(1.0, max(0.0, (step - 100) / 300))
            outputs = model(few.pool[free])
            loss = functional.cross_entropy(model(few.x[labelled]), few.y[labelled])
            _descend(optimizer, loss + weight * functional.cross_entropy(outputs, outputs.argmax(1)))
    return model.eval(), len(few.x)


def consistent(few: FewLabels) -> tuple[nn.Module, int]:
    """Two noisy copies of a pool picture shall give one answer (Pi-model: Laine and Aila 2017, section 2.1)."""
    model = _network(few.seed)
    optimizer = adam()(model.parameters())
    with seeded(few.seed):
        for step in range(400):
            labelled, free = torch.randint(len(few.x), (25,)), few.pool[torch.randint(len(few.pool), (100,))]
            weight = 3.0 * min(1.0, step / 200)
            first, second = (model(_noisy(free)).softmax(1) for _ in range(2))
            loss = functional.cross_entropy(model(_noisy(few.x[labelled])), few.y[labelled])
            _descend(optimizer, loss + weight * (first - second).square().sum(1).mean())
    return model.eval(), len(few.x)


def _noisy(x: Pictures) -> Pictures:
    return x + 0.5 * torch.randn_like(x)


def self_trained(few: FewLabels) -> tuple[nn.Module, int]:
    """In rounds, the surest quarter of the pool joins the labelled ones as the network names it (Yarowsky 1995;
    Scudder 1965).
    """
    x, y = few.x, few.y
    model = fit(_network(few.seed), x, y, epochs=60, batch=25, seed=few.seed)
    for share in (0.25, 0.5, 0.75):
        with torch.no_grad():
            sureness, named = model(few.pool).softmax(1).max(1)
        kept = sureness.argsort(descending=True)[: int(share * len(few.pool))]
        x, y = torch.cat([few.x, few.pool[kept]]), torch.cat([few.y, named[kept]])
        model = fit(_network(few.seed), x, y, epochs=15, batch=50, seed=few.seed)
    return model, len(few.x)


def actively_labelled(few: FewLabels) -> tuple[nn.Module, int]:
    """Starts with half of the labels and asks for the others where two classes are nearest to each other (Scheffer et
    al. 2001).
    """
    per_class = len(few.y) // 20
    start = _some_of_each(few.y, per_class)
    x, y, asked = few.x[start], few.y[start], torch.zeros(len(few.pool), dtype=torch.bool)
    model = fit(_network(few.seed), x, y, epochs=60, batch=25, seed=few.seed)
    budget, rounds = len(few.x) - len(x), 5
    for _ in range(rounds):
        with torch.no_grad():
            best = model(few.pool).softmax(1).topk(2, dim=1).values
        margin = (best[:, 0] - best[:, 1]).masked_fill(asked, 2.0)
        rows = margin.argsort()[: budget // rounds]
        asked[rows] = True
        x, y = torch.cat([x, few.pool[rows]]), torch.cat([y, few.ask(rows)])
        model = fit(_network(few.seed), x, y, epochs=60, batch=25, seed=few.seed)
    return model, len(x)


def _descend(optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


METHODS: dict[str, Callable[[FewLabels], tuple[nn.Module, int]]] = {
    "supervised": supervised,
    "transfer": transferred,
    "pseudo-labels": pseudo_labelled,
    "consistency": consistent,
    "self-training": self_trained,
    "active learning": actively_labelled,
}
