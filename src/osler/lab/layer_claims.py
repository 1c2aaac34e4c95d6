"""What the layers of a convolutional network are for, measured on small tasks."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import mean

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from osler.lab.plain_training import accuracy_of, adam, fit, seeded
from osler.lab.small_sets import digits

SIDE = 16


@dataclass(frozen=True, slots=True)
class Pictures:
    """A two-class task on grey pictures, in two halves."""

    x: Float[Tensor, "train 1 side side"]
    y: Int[Tensor, " train"]
    x_test: Float[Tensor, "test 1 side side"]
    y_test: Int[Tensor, " test"]


def sparse_spots(count: int = 400, *, seed: int = 0) -> Pictures:
    """Noise, in the second class with one bright pixel somewhere: a sparse feature, lost in a mean."""
    with seeded(seed):
        y = torch.arange(count) % 2
        x = torch.randn(count, 1, SIDE, SIDE) * 0.5
        where = torch.randint(SIDE**2, (count,))
        x.flatten(1)[torch.arange(count), where] += 3.0 * y
    return _halves(x, y)


def dense_texture(count: int = 400, *, seed: int = 0) -> Pictures:
    """Noise whose mean differs a little between the classes, with some outliers: a property of the whole area."""
    with seeded(seed):
        y = torch.arange(count) % 2
        x = torch.randn(count, 1, SIDE, SIDE) + 0.25 * y[:, None, None, None]
        x += (torch.rand_like(x) < 0.02) * torch.randn_like(x) * 4
    return _halves(x, y)


def pooling_choice(*, seeds: Sequence[int] = (0, 1, 2)) -> dict[str, dict[str, float]]:
    """Held-out accuracy by task and by global pooling: 1x1 convolution, ReLU, pooling, linear layer."""
    tasks: dict[str, Callable[..., Pictures]] = {"sparse": sparse_spots, "dense": dense_texture}
    pools = {"max": nn.AdaptiveMaxPool2d, "average": nn.AdaptiveAvgPool2d}
    table: dict[str, dict[str, float]] = {}
    for task, make in tasks.items():
        table[task] = {}
        for name, pool in pools.items():
            scores = []
            for seed in seeds:
                data = make(seed=seed)
                with seeded(seed):
                    layers = nn.Conv2d(1, 8, 1), nn.ReLU(), pool(1), nn.Flatten(), nn.Linear(8, 2)
                    model = nn.Sequential(*layers)
                fit(model, data.x, data.y, epochs=40, optimizer=adam(1e-2), seed=seed)
                scores.append(accuracy_of(model, data.x_test, data.y_test))
            table[task][name] = mean(scores)
    return table


def reduction_choice(*, seeds: Sequence[int] = (0, 1, 2), epochs: int = 25) -> dict[str, float]:
    """Held-out accuracy on the digits: 3x3 convolutions with max pooling, or with a stride of two in its place.

    The all-convolutional network of Springenberg et al. 2015 ("Striving for simplicity", section 2), small.
    """
    scores: dict[str, list[float]] = {"pooling": [], "stride": []}
    for seed in seeds:
        data = digits(800, seed=seed)
        x, x_test = data.x.reshape(-1, 1, 8, 8), data.x_test.reshape(-1, 1, 8, 8)
        for name in scores:
            with seeded(seed):
                model = nn.Sequential(*_stage(1, 16, name), *_stage(16, 32, name), nn.Flatten(), nn.Linear(128, 10))
            fit(model, x, data.y, epochs=epochs, seed=seed)
            scores[name].append(accuracy_of(model, x_test, data.y_test))
    return {name: mean(found) for name, found in scores.items()}


@dataclass(frozen=True, slots=True)
class Without:
    """A small convolutional network with one kind of layer taken out, mean over seeds."""

    taken_out: str
    parameters: int
    accuracy: float  # on held-out digits that lie somewhere in a larger picture


def ablation(*, seeds: Sequence[int] = (0, 1), epochs: int = 30) -> list[Without]:
    """Convolution, activation, pooling and the fully connected layers taken out, one at a time.

    Digits of 8x8 lie at a random place of a 14x14 picture, so that what belongs together moves.
    """
    rows = []
    for out in ("nothing", "convolution", "activation", "pooling", "fully connected"):
        scores, parameters = [], 0
        for seed in seeds:
            data = digits(1000, seed=seed)
            x, x_test = scattered(data.x, seed=seed), scattered(data.x_test, seed=seed + 100)
            with seeded(seed):
                model = _network_without(out)
            parameters = sum(p.numel() for p in model.parameters())
            fit(model, x, data.y, epochs=epochs, seed=seed)
            scores.append(accuracy_of(model, x_test, data.y_test))
        rows.append(Without(out, parameters, mean(scores)))
    return rows


def scattered(x: Float[Tensor, "batch 64"], *, side: int = 14, seed: int = 0) -> Float[Tensor, "batch 1 side side"]:
    """Each 8x8 picture at a random place of a larger empty one."""
    generator = torch.Generator().manual_seed(seed)
    out = torch.full((len(x), 1, side, side), float(x.min()))
    for i, (top, left) in enumerate(torch.randint(side - 7, (len(x), 2), generator=generator).tolist()):
        out[i, 0, top : top + 8, left : left + 8] = x[i].reshape(8, 8)
    return out


def _stage(in_channels: int, width: int, reduction: str) -> list[nn.Module]:
    if reduction == "stride":
        return [nn.Conv2d(in_channels, width, 3, stride=2, padding=1), nn.ReLU()]
    return [nn.Conv2d(in_channels, width, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]


def _network_without(out: str) -> nn.Module:
    """Two stages and two fully connected layers on 14x14, with one kind of layer left out."""
    act = nn.Identity if out == "activation" else nn.ReLU
    pool = nn.Identity() if out == "pooling" else nn.MaxPool2d(2)
    last = nn.AvgPool2d(7) if out == "fully connected" else nn.Identity()
    if out == "convolution":
        first: list[nn.Module] = [pool, nn.Identity()]
        features = 49
    else:
        first = [nn.Conv2d(1, 8, 3, padding=1), act(), pool, nn.Conv2d(8, 16, 3, padding=1), act(), last]
        features = 16 if out == "fully connected" else 16 * (196 if out == "pooling" else 49)
    if out == "fully connected":  # each class has a map, whose mean is its answer
        return nn.Sequential(*first[:5], nn.Conv2d(16, 10, 1), last, nn.Flatten())
    return nn.Sequential(*first, nn.Flatten(), nn.Linear(features, 32), act(), nn.Linear(32, 10))


def _halves(x: Float[Tensor, "count 1 side side"], y: Int[Tensor, " count"]) -> Pictures:
    half = len(x) // 2
    return Pictures(x[:half], y[:half], x[half:], y[half:])
