"""`osler inspect --backprop`: one forward and one backward pass of a small network, every step in formulas and numbers."""

from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from osler.anatomy.backprop.loss_rules import LossName
from osler.anatomy.backprop.worked import WorkedBackpropagation
from osler.anatomy.backprop.working import work_through
from osler.imaging.decode import read_image
from osler.imaging.fit import FitTo
from osler.imaging.header import UnreadableError
from osler.models.plan_parsing import parse_plan
from osler.models.registry import create_model
from osler.structures.errors import DataError, RecipeError
from osler.structures.person_code import is_file_spec
from osler.structures.preprocessing import Preprocessing
from osler.structures.sample import Sample
from osler.verbs.loading import load_trained
from osler.verbs.run import Run

SIDE = 6  # of a random picture, where the network is not made for another
BATCH = 2  # of random pictures: batch norm needs more than one value a channel
MOST_PARAMETERS = 200_000  # beyond, nobody reads the page
ELEMENTS = 32  # of each tensor for which central differences are taken

Picture = str | Path


def worked_backpropagation(
    model: str | Path | nn.Module | Run,
    sample: Float[Tensor, "batch *size"] | Picture | Sequence[Picture] | None = None,
    target: Tensor | Sequence[int] | int | None = None,
    *,
    out: Picture | Sequence[Picture] = (),
    size: int | Sequence[int] | None = None,
    loss: LossName = "cross_entropy",
    training: bool = True,
    dropout: bool = False,
    seed: int = 0,
    elements: int = ELEMENTS,
    num_classes: int = 3,
    in_channels: Literal[1, 3] = 1,
    **options: Any,
) -> WorkedBackpropagation:
    """Works a network's backpropagation by hand, beside autograd and central differences.

    >>> worked = worked_backpropagation("input6 | conv3-2 bn maxpool2 | fc-classes", out="page.html")  # doctest: +SKIP
    >>> print(worked); worked.agrees                                                                   # doctest: +SKIP

    Args:
        model: a network, a registered name, a person's own as `my_net.py:Net`, a plan such as `input6 | conv3-2 bn maxpool2
            | fc-classes` (see `osler.models.plan`), or a run's folder or its weights.
        sample: a batch; or pictures' files, brought to `size`; None: standard normal numbers by the seed.
        target: classes for cross_entropy, else a tensor like the outputs; None: drawn by the seed.
        out: where to write it: as .html (a page), .tex (LaTeX) or .txt, or several of them.
        size: side, or height and width, of the pictures; None: what a plan or a run says, else 6 or the least that the
            network can see.
        loss: of the raw outputs.
        training: whether batch norm takes the batch's own mean and variance.
        dropout: whether dropout drops, by the seed, where `training` holds.
        seed: of random weights, samples, targets and masks.
        elements: numbers of each tensor for which central differences are taken.
        num_classes: outputs of a network that is given by its name or plan.
        in_channels: of its pictures.
        options: of a network that is given by its name.

    Raises:
        RecipeError: a layer has no worked rule, the network cannot be followed or is too large to be read, or `out` ends in
            something else.
        DataError: sample or target do not fit the network, or a picture cannot be read.
        UnknownNameError: no network has that name.
        NoRunError: there is no run in that folder.
    """
    outs = _outs(out)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network, seen, name = _network(model, size, num_classes, in_channels, options)
        _check_size(network, name)
        _set_modes(network, training, dropout)
        batch = _sample(sample, network, seen)
        answer = _target(target, network, batch, loss)
    worked = work_through(network, batch, answer, loss=loss, seed=seed, elements=elements, name=name)
    for path in outs:
        worked.write(path)
    return worked


def _outs(out: Picture | Sequence[Picture]) -> list[Path]:
    """Where to write, before any work is done for nothing."""
    outs = [Path(p) for p in ([out] if isinstance(out, str | Path) else out)]
    for path in outs:
        if path.suffix not in (".html", ".tex", ".txt"):
            raise RecipeError(f"{path}: a worked backpropagation is written as .html, .tex or .txt.")
    return outs


def _set_modes(network: nn.Module, training: bool, dropout: bool) -> None:
    network.train(training)
    for module in network.modules():
        if isinstance(module, nn.modules.dropout._DropoutNd) and not dropout:
            module.eval()


def _network(
    model: str | Path | nn.Module | Run, size: int | Sequence[int] | None, num_classes: int, channels: Any, options: Any
) -> tuple[nn.Module, Preprocessing, str]:
    """A network of one's own to look at, how it sees pictures, and what it is called."""
    if isinstance(model, nn.Module):
        if options:
            raise RecipeError(f"Options ({', '.join(options)}) are for a network given by its name; this one is made.")
        seen = _channels(model)
        return deepcopy(model).cpu(), _preprocessing(_side(model) if size is None else size, seen), type(model).__name__
    path = Path(model.path if isinstance(model, Run) else model)
    if not is_file_spec(str(model)) and "|" not in str(model) and (path.is_dir() or path.suffix == ".safetensors"):
        artefact = load_trained(path)
        name = str(artefact.architecture.get("name") or path.name)
        return artefact.model.cpu(), artefact.preprocessing, name
    word, name = str(model), str(model).rpartition(":")[2]
    if "|" in word or word.startswith("input"):
        options, size, word, name = (
            {**options, "plan": word},
            parse_plan(word).input_size if size is None else size,
            "plan",
            "a plan",
        )
    made = create_model(word, num_classes=num_classes, in_channels=channels, **options)
    return made, _preprocessing(_side(made) if size is None else size, channels), name


def _check_size(network: nn.Module, name: str) -> None:
    count = sum(p.numel() for p in network.parameters())
    if count > MOST_PARAMETERS:
        raise RecipeError(
            f"{name} has {count:,} parameters, and every one of them would be written down; at most {MOST_PARAMETERS:,} are. "
            "Make it smaller (width=0.125, fewer layers), or write a small one as a plan: input6 | conv3-2 bn maxpool2 | "
            "fc-classes."
        )


def _side(network: nn.Module) -> int:
    """The least picture from 6 pixels on that the network can see; that for which it was made, where it says no more."""
    return max(SIDE, int(getattr(network, "minimum_size", getattr(network, "input_size", SIDE))))


def _channels(network: nn.Module) -> int:
    """Of the pictures that the first convolution takes."""
    return next((m.in_channels for m in network.modules() if isinstance(m, nn.Conv2d)), 1)


def _preprocessing(size: int | Sequence[int], channels: int) -> Preprocessing:
    sizes = (size, size) if isinstance(size, int) else tuple(size)
    if len(sizes) != 2 or any(not isinstance(n, int) or n < 1 for n in sizes):
        raise RecipeError(f"The size of a picture is a side, or its height and width, in pixels; given: {size!r}.")
    known: Any = channels  # a network may take other pictures than grey and RGB ones
    return Preprocessing((sizes[0], sizes[1]), known, mean=(0.5,) * channels, std=(0.5,) * channels)


def _sample(given: Any, network: nn.Module, seen: Preprocessing) -> Tensor:
    """A batch: as it is, read from pictures, or drawn."""
    if isinstance(given, Tensor):
        return given.detach().cpu().double()
    if given is None:
        first = next((m for m in network.modules() if not list(m.children())), network)
        features = isinstance(first, nn.Linear) and not hasattr(network, "input_size")
        shape = (first.in_features,) if features and isinstance(first, nn.Linear) else (seen.channels, *seen.size)
        return torch.randn(BATCH, *shape, dtype=torch.float64)
    paths, fit, images = [given] if isinstance(given, str | Path) else list(given), FitTo(seen), []
    for path in paths:
        try:
            image = read_image(path, channels=seen.channels, at_least=seen.size)
        except (UnreadableError, OSError) as error:
            raise DataError(f"{path} cannot be read as a picture: {error}") from error
        fitted = fit(Sample(image, path=str(path)), np.random.default_rng(0))
        images.append(torch.from_numpy(np.ascontiguousarray(fitted.image)).permute(2, 0, 1))
    return seen.standardise(torch.stack(images)).double()


def _target(given: Any, network: nn.Module, batch: Tensor, loss: LossName) -> Tensor:
    """As it is, or drawn to fit the network's outputs."""
    if given is not None:
        return torch.as_tensor([given] if isinstance(given, int) else given)
    outputs = _outputs(network, batch)
    if loss == "cross_entropy":
        return torch.randint(outputs[1] if len(outputs) > 1 else 1, outputs[:1])
    drawn = torch.randn(outputs, dtype=torch.float64)
    return drawn if loss == "mse" else (drawn > 0).double()


@torch.no_grad()
def _outputs(network: nn.Module, batch: Tensor) -> torch.Size:
    """Their sizes.

    Raises:
        DataError: the network does not take the sample.
    """
    try:
        result = deepcopy(network).double()(batch.clone())
    except (RuntimeError, ValueError) as error:
        raise DataError(f"The network does not take a sample of {tuple(batch.shape)}: {error}") from error
    return result.shape if isinstance(result, Tensor) else batch.shape[:1]
