"""The checklist of a training, gone through before its first update and kept in the run's store.

The procedure that textbooks give (Karpathy, Johnson and Li, CS231n, "Neural networks part 2 and 3") has a one-time
setup (activation, preprocessing, initialisation, regularisation, gradient check) and training dynamics (babysitting,
update rule, search of parameters, batch norm). Here each item is looked at in the network that is going to be trained,
not copied from a wish. It takes a forward and backward pass and a few forward passes on four pictures, once;
nothing is done while the network trains.
"""

from copy import deepcopy
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd

from osler.imaging.fit import FitTo
from osler.imaging.header import UnreadableError
from osler.models.cost import multiply_adds
from osler.structures.batch import Batch
from osler.structures.errors import DataError
from osler.structures.preprocessing import Preprocessing
from osler.structures.sample import Sample
from osler.training.activations_seen import activations_seen
from osler.training.gradient_check import check_first_step
from osler.training.observer import Observer
from osler.training.state import Training
from osler.training.store import Store

PICTURES = 4  # for the gradient check
SIDE = 32  # pixels that are enough to check a network which says that it can see so little
CHECKED = 300_000_000  # multiply-adds a picture up to which gradients are checked: seconds on one core, not a minute
TRIED = 32  # pictures, in search of readable ones
SETUP = ("activation", "preprocessing", "initialisation", "regularisation", "gradient_check")
DYNAMICS = ("babysitting", "update_rule", "hyper_parameters", "batch_norm")
REGULARISERS = (
    "train.weight_decay", "train.l1", "train.ema", "train.patience", "task.label_smoothing", "data.augment.preset",
    "data.augment.transforms", "data.augment.mixup", "data.augment.cutmix", "data.augment.pca_noise",
)  # fmt: skip
RULE = (
    "train.optimizer", "train.batch_size", "train.accumulate", "train.schedule", "train.schedule_options", "train.warmup",
    "train.clip_norm", "train.clip_value",
)  # fmt: skip


class Checklist(Observer):
    """Writes the facts `setup` and `dynamics` before the first update."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def started(self, training: Training) -> None:
        """Goes through the list; a resumed run has been through it."""
        if self.store.fact("setup") is None:
            setup = one_time_setup(training)
            self.store.set_fact("setup", setup)
            self.store.set_fact(
                "dynamics", {"update_rule": _update_rule(training), "batch_norm": _batch_norm(training)}
            )
            said = _complaint(setup["gradient_check"])
            if said:
                self.store.add_event("checklist", said)


def procedure(store: Store) -> dict[str, dict[str, Any]]:
    """The two stages of a run with their items, as far as the run has come: see SETUP and DYNAMICS.

    `hyper_parameters` is empty unless the run is a trial of a search.
    """
    epochs = [{k: v for k, v in row.items() if k in ("epoch", "lr", "best") or "." in k} for row in store.epochs()]
    watched = {"lr": [row["lr"] for row in epochs], "epochs": epochs}
    written = store.fact("dynamics", {})
    dynamics = {"babysitting": watched, "hyper_parameters": store.fact("searched", {}), **written}
    return {"setup": store.fact("setup", {}), "dynamics": {name: dynamics.get(name) for name in DYNAMICS}}


def one_time_setup(training: Training) -> dict[str, Any]:
    """The five items, each in plain values. What cannot be looked at says why; the training stays as it is."""
    model, recipe = training.model, training.recipe
    preprocessing = getattr(model, "preprocessing", None)
    batch = _first_batch(training, preprocessing) if isinstance(preprocessing, Preprocessing) else None
    picked = {k: v for k, v in preprocessing.to_dict().items() if k != "names"} if preprocessing else {}
    return {
        "activation": _activation(training, batch),
        "preprocessing": picked,
        "initialisation": {"weights": recipe.recipe.model.weights, "layers": _spreads(model)},
        "regularisation": {key: _plain(recipe.value(key)) for key in REGULARISERS} | {"dropout": _dropout(model)},
        "gradient_check": _gradient_check(training, batch),
    }


def _first_batch(training: Training, preprocessing: Preprocessing) -> Batch | None:
    """A few training pictures without augmentation, spread evenly over the set; None where none can be read."""
    dataset, fit = training.train_loader.dataset, FitTo(preprocessing)
    rows = np.linspace(0, len(dataset) - 1, min(TRIED, len(dataset))).astype(int)
    stride = max(1, len(rows) // PICTURES)
    samples: list[Sample] = []
    for place in sorted(range(len(rows)), key=lambda i: i % stride):
        if len(samples) == PICTURES:
            break
        try:
            samples.append(fit(dataset[int(rows[place])]))
        except (UnreadableError, DataError, OSError):
            continue
    if not samples:
        return None
    images = torch.from_numpy(np.stack([s.image for s in samples])).permute(0, 3, 1, 2)
    device = (
        torch.device("cpu") if training.engine.device.type == "mps" else training.engine.device
    )  # mps has no float64
    raw = Batch(images, training.task.collate(samples), torch.arange(len(samples))).to(device)
    return Batch(preprocessing.standardise(raw.images), raw.target, raw.indices)


def _activation(training: Training, batch: Batch | None) -> dict[str, Any]:
    if batch is None:
        return {"done": False, "reason": "there is no picture to look at"}
    try:
        copy = deepcopy(training.model).to(batch.images.device).eval()
        return {"done": True, "functions": activations_seen(copy, batch.images)}
    except Exception as error:  # a person's model may take more than pictures, or refuse to be copied
        return {"done": False, "reason": f"{type(error).__name__}: {error}"}


def _gradient_check(training: Training, batch: Batch | None) -> dict[str, Any]:
    if batch is None:
        return {"done": False, "reason": "there is no picture to look at"}
    if not training.task.fixed_targets:
        return {"done": False, "reason": f"in {training.task.name} the targets hang on the answers, without a gradient"}
    try:
        batch = Batch(_middle(training.model, batch.images), batch.target, batch.indices)
        channels, height, width = batch.images.shape[1:]
        cost = multiply_adds(training.model, channels, (height, width))
        if cost > CHECKED:
            return {
                "done": False,
                "reason": f"{cost / 1e6:.0f} M multiply-adds a picture would take too long in double precision",
            }
        return {"done": True, "pictures": len(batch), **asdict(check_first_step(training.task, training.model, batch))}
    except Exception as error:  # a person's model or loss may refuse to be copied, or to compute in double precision
        return {"done": False, "reason": f"{type(error).__name__}: {error}"}


def _middle(model: nn.Module, images: Tensor) -> Tensor:
    """The middle of the pictures, where the network sees smaller ones as well: the same gradients for a fraction of the time."""
    least = getattr(model, "minimum_size", None)
    if not isinstance(least, int):
        return images
    side = max(least, SIDE)
    top, left = (max(0, (length - side) // 2) for length in images.shape[2:])
    return images[:, :, top : top + side, left : left + side]


def _complaint(check: dict[str, Any]) -> str:
    if check["done"] and check["missing"]:
        return (
            f"The gradient check failed: backpropagation does not reach {check['missing']} tensors on which the loss depends. "
            "A detached tensor, or a detour through NumPy, is the usual cause."
        )
    if check["done"] and not check["passed"]:
        return (
            f"The gradient check failed: backpropagation gives a slope of {check['backpropagated']:.4g}, the loss has "
            f"{check['measured']:.4g}. A backward function of one's own is the usual cause."
        )
    return ""


def _spreads(model: nn.Module) -> dict[str, dict[str, Any]]:
    """Of each convolution and linear layer: mean and spread of its weights, and the gain, spread times sqrt(fan in).

    A gain of sqrt(2) is He's for rectifiers, 1 is LeCun's; sqrt(2 fan in / (fan in + fan out)) is Glorot's.
    """
    found = {}
    for name, layer in model.named_modules():
        weight = getattr(layer, "weight", None)
        if isinstance(weight, nn.Parameter) and weight.ndim >= 2 and not isinstance(layer, nn.Embedding):
            values = weight.detach().float()
            spread = float(values.std(correction=0))
            found[name] = {
                "kind": type(layer).__name__,
                "mean": float(values.mean()),
                "spread": spread,
                "gain": spread * float(values[0].numel()) ** 0.5,
                "zero_bias": getattr(layer, "bias", None) is None or not bool(layer.bias.any()),
            }
    return found


def _dropout(model: nn.Module) -> dict[str, float]:
    """The dropout layers that drop anything, and the share."""
    return {name: m.p for name, m in model.named_modules() if isinstance(m, _DropoutNd) and m.p > 0}


def _batch_norm(training: Training) -> dict[str, Any]:
    layers = [m for m in training.model.modules() if isinstance(m, _BatchNorm)]
    return {"on": bool(layers), "layers": len(layers)}


def _update_rule(training: Training) -> dict[str, Any]:
    """What the recipe says, and for each group of parameters the optimiser's own numbers."""
    rules = {}
    for name, group in training.groups.items():
        settings = group.optimizer.param_groups
        rules[name] = {
            "class": type(group.optimizer).__name__,
            "settings": [{k: _plain(v) for k, v in s.items() if k != "params"} for s in settings],
            "parameters": [sum(p.numel() for p in s["params"]) for s in settings],
        }
    return {key: _plain(training.recipe.value(key)) for key in RULE} | {"groups": rules}


def _plain(value: Any) -> Any:
    """A value that JSON can hold; others in words."""
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)
