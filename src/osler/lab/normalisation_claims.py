"""What batch norm and its relatives bring and cost, measured on digits."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import mean, pstdev

import torch
from torch import Tensor, nn
from torch.nn import functional

from osler.lab.plain_training import accuracy_of, adam, fit, seeded, sgd
from osler.lab.small_sets import digits

Norm = Callable[[int], nn.Module]


def network(
    norm: Norm | None = nn.BatchNorm1d,
    *,
    depth: int = 3,
    width: int = 32,
    before_activation: bool = True,
    activation: Callable[[], nn.Module] = nn.ReLU,
    dropout: float = 0.0,
    spread: float | None = None,
    seed: int = 0,
) -> nn.Sequential:
    """64 pixels to 10 classes by `depth` hidden layers, each with the norm before or after its activation.

    `spread`: standard deviation of all weights, in place of PyTorch's.
    """
    parts: list[nn.Module] = []
    with seeded(seed):
        for i in range(depth):
            linear = nn.Linear(width if i else 64, width)
            if spread is not None:
                nn.init.normal_(linear.weight, 0.0, spread)
            after = [activation()] if norm is None else [norm(width), activation()]
            parts += [linear, *(after if before_activation else after[::-1])]
            parts += [nn.Dropout(dropout)] if dropout else []
        return nn.Sequential(*parts, nn.Linear(width, 10))


@dataclass(frozen=True, slots=True)
class WithAndWithout:
    """One figure without batch norm and with it."""

    without: float
    with_norm: float


def epochs_to(accuracy: float = 0.9, *, seeds: Sequence[int] = (0, 1, 2), limit: int = 40) -> WithAndWithout:
    """Speed: epochs of gradient descent until held-out accuracy, mean over seeds; `limit` where it never comes."""
    needed: dict[bool, list[int]] = {False: [], True: []}
    for seed in seeds:
        data = digits(800, seed=seed)
        for normed, found in needed.items():
            model = network(nn.BatchNorm1d if normed else None, depth=4, seed=seed)
            scores: list[float] = []
            record = lambda m=model, s=scores, d=data: s.append(accuracy_of(m, d.x_test, d.y_test))  # noqa: E731
            fit(model, data.x, data.y, epochs=limit, optimizer=sgd(0.05), after_epoch=record, seed=seed)
            found.append(next((i + 1 for i, s in enumerate(scores) if s >= accuracy), limit))
    return WithAndWithout(mean(needed[False]), mean(needed[True]))


def rates_that_learn(
    rates: Sequence[float] = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0), *, depth: int = 6, epochs: int = 10, seed: int = 0
) -> WithAndWithout:
    """Learning rate: how many of these rates lead above 80 % on held-out digits."""
    data = digits(800, seed=seed)
    counts = []
    for norm in (None, nn.BatchNorm1d):
        models = [
            fit(network(norm, depth=depth, seed=seed), data.x, data.y, epochs=epochs, optimizer=sgd(r)) for r in rates
        ]
        counts.append(sum(accuracy_of(m, data.x_test, data.y_test) > 0.8 for m in models))
    return WithAndWithout(*counts)


def spread_over_initialisations(
    spreads: Sequence[float] = (0.01, 0.05, 0.2, 1.0), *, epochs: int = 10, seed: int = 0
) -> WithAndWithout:
    """Initialisation: standard deviation of the accuracy over weights that start from small to far too large."""
    data = digits(800, seed=seed)
    found = []
    for norm in (None, nn.BatchNorm1d):
        scores = []
        for spread in spreads:
            model = network(norm, depth=4, spread=spread, seed=seed)
            fit(model, data.x, data.y, epochs=epochs, optimizer=sgd(0.1), seed=seed)
            scores.append(accuracy_of(model, data.x_test, data.y_test))
        found.append(pstdev(scores))
    return WithAndWithout(*found)


def early_gradient_share(*, depth: int = 12, seed: int = 0) -> WithAndWithout:
    """Vanishing: norm of the first layer's gradient over the last hidden layer's, sigmoid network at the start."""
    data = digits(256, seed=seed)
    shares = []
    for norm in (None, nn.BatchNorm1d):
        model = network(norm, depth=depth, activation=nn.Sigmoid, seed=seed).train()
        functional.cross_entropy(model(data.x), data.y).backward()
        norms = [m.weight.grad.norm() for m in model if isinstance(m, nn.Linear)]  # type: ignore[union-attr]
        shares.append(float(norms[0] / norms[-2]))
    return WithAndWithout(*shares)


def accuracy_by_order(*, seeds: Sequence[int] = (0, 1), epochs: int = 12) -> dict[str, list[float]]:
    """Position: held-out accuracy after each epoch with the norm before and after the activation, means over seeds."""
    curves: dict[str, list[list[float]]] = {"before": [], "after": []}
    for seed in seeds:
        data = digits(800, seed=seed)
        for name, found in curves.items():
            model, scores = network(before_activation=name == "before", seed=seed), list[float]()
            record = lambda m=model, s=scores, d=data: s.append(accuracy_of(m, d.x_test, d.y_test))  # noqa: E731
            fit(model, data.x, data.y, epochs=epochs, after_epoch=record, seed=seed)
            found.append(scores)
    return {name: [mean(column) for column in zip(*found, strict=True)] for name, found in curves.items()}


def accuracy_by_batch(
    batches: Sequence[int] = (2, 4, 8, 32), *, epochs: int = 6, seeds: Sequence[int] = (0, 1)
) -> dict[str, list[float]]:
    """Small batches: held-out accuracy of batch norm and group norm for each size, the same number of pictures seen.

    With `balanced` statistics in mind: the smaller the batch, the noisier what batch norm divides by (Wu and He 2018).
    """
    norms: dict[str, Norm] = {"batch": nn.BatchNorm1d, "group": lambda width: nn.GroupNorm(4, width)}
    table: dict[str, list[float]] = {name: [] for name in norms}
    for name, norm in norms.items():
        for batch in batches:
            scores = []
            for seed in seeds:
                data = digits(400, seed=seed)
                model = network(norm, seed=seed)
                fit(model, data.x, data.y, epochs=epochs, batch=batch, optimizer=sgd(0.02 * batch**0.5), seed=seed)
                scores.append(accuracy_of(model, data.x_test, data.y_test))
            table[name].append(mean(scores))
    return table


def accuracy_with_sorted_batches(*, epochs: int = 10, seed: int = 0) -> WithAndWithout:
    """Batches of one class each: batch norm's statistics in training are never those of evaluation."""
    data = digits(800, seed=seed)
    order = data.y.argsort()
    scores = []
    for norm in (None, nn.BatchNorm1d):
        model = network(norm, seed=seed)
        optimizer = adam()(model.parameters())
        with seeded(seed):
            for _ in range(epochs):
                chunks = order.split(32)
                for i in torch.randperm(len(chunks)).tolist():
                    rows = chunks[i]
                    optimizer.zero_grad()
                    functional.cross_entropy(model.train()(data.x[rows]), data.y[rows]).backward()
                    optimizer.step()
        scores.append(accuracy_of(model.eval(), data.x_test, data.y_test))
    return WithAndWithout(*scores)


def input_drift(*, steps: int = 60, seed: int = 0) -> WithAndWithout:
    """Covariate shift: how far mean and spread of what the last hidden layer's activation sees move in training.

    Per unit, root mean square of the change of (mean, log spread) between the start and each later step.
    """
    data = digits(800, seed=seed)
    found = []
    for norm in (None, nn.BatchNorm1d):
        model, moments = network(norm, depth=4, seed=seed), list[Tensor]()
        last = [m for m in model if isinstance(m, nn.ReLU)][-1]

        def watch(_module: nn.Module, inputs: tuple[Tensor, ...], into: list[Tensor] = moments) -> None:
            x = inputs[0].detach()
            into.append(torch.cat([x.mean(0), x.std(0).clamp_min(1e-6).log()]))

        handle = last.register_forward_pre_hook(watch)
        optimizer = sgd(0.1)(model.parameters())
        with seeded(seed):
            for _ in range(steps):
                rows = torch.randint(len(data.x), (128,))
                optimizer.zero_grad()
                functional.cross_entropy(model.train()(data.x[rows]), data.y[rows]).backward()
                optimizer.step()
        handle.remove()
        path = torch.stack(moments)
        found.append(float((path[1:] - path[0]).square().mean().sqrt()))
    return WithAndWithout(*found)


def norm_and_dropout(*, seeds: Sequence[int] = (0, 1, 2, 3, 4), epochs: int = 20) -> dict[str, list[float]]:
    """Held-out accuracies by seed for a network with neither, with batch norm, with dropout, and with both."""
    ways: dict[str, tuple[Norm | None, float]] = {
        "neither": (None, 0.0),
        "batch norm": (nn.BatchNorm1d, 0.0),
        "dropout": (None, 0.5),
        "both": (nn.BatchNorm1d, 0.5),
    }
    table: dict[str, list[float]] = {name: [] for name in ways}
    for seed in seeds:
        data = digits(300, seed=seed)
        for name, (norm, dropout) in ways.items():
            model = network(norm, depth=2, width=64, dropout=dropout, seed=seed)
            fit(model, data.x, data.y, epochs=epochs, seed=seed)
            table[name].append(accuracy_of(model, data.x_test, data.y_test))
    return table


@dataclass(frozen=True, slots=True)
class Standardised:
    """Wine (scikit-learn's 178 bottles) before and after its columns got mean 0 and spread 1."""

    neighbours: tuple[float, float]  # accuracy of nearest neighbours, cross-validated
    condition: tuple[float, float]  # largest over smallest curvature of a linear fit
    steps: tuple[int, int]  # of gradient descent until the loss is within 1 % of its way to the best


def wine_standardised(*, neighbours: int = 5, limit: int = 20_000) -> Standardised:
    """Nearest neighbours and gradient descent on raw and on standardised columns."""
    from sklearn.datasets import load_wine
    from sklearn.model_selection import cross_val_score
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    x, y = load_wine(return_X_y=True)
    plain = KNeighborsClassifier(neighbours)
    scaled = make_pipeline(StandardScaler(), KNeighborsClassifier(neighbours))
    scores = [float(cross_val_score(m, x, y, cv=5).mean()) for m in (plain, scaled)]
    target = torch.tensor(y, dtype=torch.float64)
    conditions, steps = [], []
    for columns in (x, StandardScaler().fit_transform(x)):
        design = torch.cat([torch.tensor(columns), torch.ones(len(x), 1)], 1).double()
        curvatures = torch.linalg.eigvalsh(design.T @ design / len(x))
        conditions.append(float(curvatures[-1] / curvatures[0]))
        steps.append(_descent_steps(design, target, 1 / float(curvatures[-1]), limit))
    return Standardised((scores[0], scores[1]), (conditions[0], conditions[1]), (steps[0], steps[1]))


def _descent_steps(design: Tensor, target: Tensor, rate: float, limit: int) -> int:
    """Steps of gradient descent at the largest safe rate until 99 % of the way down is done."""
    best = (design @ torch.linalg.lstsq(design, target[:, None]).solution[:, 0] - target).square().mean()
    weights = torch.zeros(design.shape[1], dtype=torch.float64)
    start = target.square().mean()
    for step in range(1, limit + 1):
        weights -= rate * design.T @ (design @ weights - target) / len(target)
        if (design @ weights - target).square().mean() - best <= 0.01 * (start - best):
            return step
    return limit
