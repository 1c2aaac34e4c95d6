"""Carrying a network over to new classes: as a fixed extractor, fine-tuned in part or whole, cut at any layer."""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from statistics import mean

import torch
from jaxtyping import Float
from torch import Tensor, nn

from osler.lab.plain_training import accuracy_of, fit, mlp, seeded
from osler.lab.rendered_digits import rendered_digits
from osler.lab.small_sets import Split, digits
from osler.models.head import find_head, penultimate, replace_head
from osler.models.registry import create_model, feature_maps
from osler.training.parameter_groups import parameter_groups

KNOWN, NEW = (0, 1, 2, 3, 4), (5, 6, 7, 8, 9)  # classes of the source and of the target


@dataclass(frozen=True, slots=True)
class FreezeReport:
    """What of a network learns."""

    frozen: tuple[str, ...]  # names of parameters
    trainable: tuple[str, ...]
    frozen_count: int  # numbers
    trainable_count: int
    modules: tuple[
        nn.Module, ...
    ]  # frozen ones: to be kept in evaluation mode, for batch norm learns without gradients


def freeze(model: nn.Module, modules: Sequence[str]) -> FreezeReport:
    """Stops the parameters of these submodules (dotted names) from learning, lets all others learn, and reports both.

    Raises:
        AttributeError: the network has no such submodule.
    """
    model.requires_grad_(True)
    held = tuple(model.get_submodule(name) for name in modules)
    for module in held:
        module.requires_grad_(False)
    learns = {n: p.numel() for n, p in model.named_parameters() if p.requires_grad}
    stays = {n: p.numel() for n, p in model.named_parameters() if not p.requires_grad}
    return FreezeReport(tuple(stays), tuple(learns), sum(stays.values()), sum(learns.values()), held)


def as_pictures(rows: Float[Tensor, "n 64"]) -> Float[Tensor, "n 1 8 8"]:
    """Rows of 64 values as grey pictures."""
    return rows.view(-1, 1, 8, 8)


def convnet(classes: int, *, seed: int = 0) -> nn.Module:
    """Osler's small convolutional network for 8x8 pictures."""
    with seeded(seed):
        return create_model("convnet", num_classes=classes, in_channels=1, widths=(16, 32, 64), depth=1)


@cache
def network_of_known_classes(*, seed: int = 0) -> nn.Module:
    """Trained on the handwritten digits 0 to 4. Shared: copy it before changing it."""
    data = digits(700, test=150, classes=KNOWN, seed=seed)
    return fit(convnet(len(KNOWN), seed=seed), as_pictures(data.x), data.y, epochs=12, seed=seed)


@cache
def network_of_drawn_digits(*, seed: int = 0) -> nn.Module:
    """Trained on digits in OpenCV's fonts. Shared: copy it before changing it."""
    x, y = rendered_digits(2000)
    return fit(convnet(10, seed=seed), as_pictures(x), y, epochs=4, seed=seed)


@dataclass(frozen=True, slots=True)
class Extractor:
    """Scenario 1: the network without its head as a fixed extractor, and a linear classifier on its codes."""

    code_size: int
    accuracy: float  # of the linear classifier on handwritten digits
    on_pixels: float  # of the same classifier on the pixels themselves
    moved: float  # largest change of any parameter or buffer of the network: 0
    pictures_passed: int  # through the network, over all of the classifier's epochs


def as_feature_extractor(*, samples: int = 100, epochs: int = 100, seed: int = 0) -> Extractor:
    """Drawn digits to handwritten ones. Codes are computed once and kept; the classifier's epochs read the kept ones
    (Sharif Razavian et al. 2014).
    """
    data = digits(samples, seed=seed)
    model = deepcopy(network_of_drawn_digits(seed=seed)).eval()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    passed = 0

    def count(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        nonlocal passed
        passed += len(inputs[0])

    handle = model.register_forward_pre_hook(count)
    codes = Split(*cached_codes(model, data))
    size = codes.x.shape[1]
    scores = []
    for part in (codes, data):
        linear = fit(mlp(part.x.shape[1], 10, seed=seed), part.x, part.y, epochs=epochs, seed=seed)
        scores.append(accuracy_of(linear, part.x_test, part.y_test))
    handle.remove()
    moved = max(float((v - before[k]).abs().max()) for k, v in model.state_dict().items())
    return Extractor(size, scores[0], scores[1], moved, passed)


@torch.no_grad()
def cached_codes(model: nn.Module, data: Split) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """What comes to the head for each picture, scaled by the training codes' mean and spread, with the classes."""
    x, x_test = penultimate(model, as_pictures(data.x)), penultimate(model, as_pictures(data.x_test))
    middle, spread = x.mean(0), x.std(0) + 1e-3
    return (x - middle) / spread, data.y, (x_test - middle) / spread, data.y_test


@dataclass(frozen=True, slots=True)
class FineTuned:
    """Scenario 2, one way of it with so many handwritten digits."""

    way: str
    samples: int
    accuracies: tuple[float, ...]  # on held-out digits, by seed
    report: FreezeReport
    rates: tuple[float, ...]  # learning rates of the optimiser's groups

    @property
    def mean(self) -> float:
        """Over the seeds."""
        return mean(self.accuracies)


WAYS = ("head", "head and last stage", "everything", "from nothing")


def fine_tuning(
    sizes: Sequence[int] = (50, 150, 500), *, updates: int = 40, seeds: Sequence[int] = (0, 1, 2, 3)
) -> list[FineTuned]:
    """From drawn digits to handwritten ones: the head alone; head and last stage; everything, early stages more
    slowly; no source.

    Equally many updates each. Source of the practice: Yosinski et al. 2014, "How transferable are features in deep
    neural networks?"
    """
    return [_tuned(way, samples, updates, seeds) for samples in sizes for way in WAYS]


def _tuned(way: str, samples: int, updates: int, seeds: Sequence[int]) -> FineTuned:
    accuracies = []
    for seed in seeds:
        data = digits(samples, seed=seed)
        model, report = _prepared(way, seed)
        groups = parameter_groups(model, lr=3e-3, weight_decay=0.0, split=False)
        fit(
            model,
            as_pictures(data.x),
            data.y,
            epochs=-(-updates * 25 // samples),
            batch=25,
            optimizer=lambda _, g=groups: torch.optim.Adam(g),  # type: ignore[misc]
            frozen=report.modules,
            seed=seed,
        )
        accuracies.append(accuracy_of(model, as_pictures(data.x_test), data.y_test))
    return FineTuned(way, samples, tuple(accuracies), report, tuple(float(g["lr"]) for g in groups))


def _prepared(way: str, seed: int) -> tuple[nn.Module, FreezeReport]:
    """The network with a new head, and what of it learns; `lr_scales` slows early stages down where all of them
    learn.
    """
    if way == "from nothing":
        model = convnet(10, seed=seed)
        return model, freeze(model, ())
    model = deepcopy(network_of_drawn_digits(seed=seed))
    with seeded(seed):
        replace_head(model, 10)
    stages = [m.module for m in feature_maps(model)]
    if way == "everything":
        model.lr_scales = {f"{stages[0]}.*": 0.1, f"{stages[1]}.*": 0.3}  # type: ignore[assignment]
        return model, freeze(model, ())
    return model, freeze(model, stages if way == "head" else stages[:-1])


@dataclass(frozen=True, slots=True)
class Cut:
    """A linear classifier on what one layer of the network on known classes computes."""

    layer: str
    known: float  # test accuracy on the classes that the network was trained on
    new: float  # on the classes that it never saw

    @property
    def specificity(self) -> float:
        """By how much the layer serves its own classes better than others."""
        return self.known - self.new


def accuracy_by_cut(*, samples: int = 200, epochs: int = 60, seeds: Sequence[int] = (0, 1)) -> list[Cut]:
    """Classifiers on the feature maps of each stage and on the outputs: early layers are general, late ones special."""
    found: dict[str, list[tuple[float, float]]] = {}
    for seed in seeds:
        model = network_of_known_classes(seed=seed)
        sets = [digits(samples, test=150, classes=c, seed=seed) for c in (KNOWN, NEW)]
        for layer in [*(m.module for m in feature_maps(model)), find_head(model)[0]]:
            pair = [_probe(_at(model, layer, data), epochs, seed) for data in sets]
            found.setdefault(layer, []).append((pair[0], pair[1]))
    return [Cut(layer, mean(k for k, _ in v), mean(n for _, n in v)) for layer, v in found.items()]


@torch.no_grad()
def _at(model: nn.Module, layer: str, data: Split) -> Split:
    """The outputs of one layer for both parts, scaled by the training part's mean and spread."""
    seen: list[Tensor] = []
    handle = model.get_submodule(layer).register_forward_hook(lambda _m, _i, output: seen.append(output.flatten(1)))
    try:
        model(as_pictures(data.x)), model(as_pictures(data.x_test))
    finally:
        handle.remove()
    middle, spread = seen[0].mean(0), seen[0].std(0) + 1e-3
    return Split((seen[0] - middle) / spread, data.y, (seen[1] - middle) / spread, data.y_test)


def _probe(data: Split, epochs: int, seed: int) -> float:
    linear = fit(mlp(data.x.shape[1], 5, seed=seed), data.x, data.y, epochs=epochs, seed=seed)
    return accuracy_of(linear, data.x_test, data.y_test)
