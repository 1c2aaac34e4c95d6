"""Weights that the world has trained, into our networks: torchvision's and timm's files under our names.

A start is named `torchvision` (the file that its library publishes for this network, see `weights_table`),
`torchvision:PATH`, `torchvision:URL`, and the same for `timm`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from osler.models.head import find_head
from osler.models.public_names import Library, PublicNetwork, published
from osler.models.weights_table import PublishedWeights, weights_of
from osler.structures.download import RemoteFile, cache_folder, fetch
from osler.structures.errors import CheckpointError, RecipeError
from osler.structures.registry import unknown
from osler.structures.state_keys import check_keys
from osler.structures.tensor_file import read_tensors

LIBRARIES: tuple[Library, ...] = ("torchvision", "timm")


@dataclass(frozen=True, slots=True)
class PublicStart:
    """Where public weights come from, and into which form of our network they go."""

    public: PublicNetwork
    place: str = ""  # a path or an address; empty: what the library publishes

    @property
    def published(self) -> PublishedWeights | None:
        """What is known of the file that the library publishes; None for a file of the person's."""
        return None if self.place else weights_of(self.public)

    def file(self) -> Path:
        """The file on this machine, downloaded to the cache if it is not there.

        Raises:
            CheckpointError: the library publishes none that we know.
            DataError: the network or the disk did not allow it, or what came has another checksum.
        """
        if not self.place:
            known = self.published
            if known is None:
                raise CheckpointError(
                    f"No public weights of {self.public.library}'s {self.public.name} are known here. Give a file: "
                    f"model.weights={self.public.library}:PATH."
                )
            return fetch(known.file, cache_folder() / "weights")
        if "://" in self.place:
            return fetch(RemoteFile(self.place, _checksum_in_name(self.place), "sha256"), cache_folder() / "weights")
        return Path(self.place).expanduser()


def is_public(weights: str) -> bool:
    """Whether a `weights` value names a public start."""
    return weights.partition(":")[0] in LIBRARIES


def public_start(weights: str, network: str, options: Mapping[str, Any] | None = None) -> PublicStart:
    """The start that `weights` names for our `network` with the options that were given.

    Raises:
        RecipeError: that library has no such network, or none in the form that the options ask for.
    """
    library, _, place = weights.partition(":")
    if library not in LIBRARIES:
        raise RecipeError(unknown("library of weights", library, LIBRARIES))
    ours = [p for p in published() if p.library == library and p.network == network]
    if not ours:
        names = sorted({p.network for p in published() if p.library == library})
        raise RecipeError(f"{library} has no weights for {network}. It has some for: {', '.join(names)}.")
    given = dict(options or {})
    fitting = [p for p in ours if all(p.options.get(k, v) == v for k, v in given.items())]
    if not fitting:
        form = ", ".join(f"{k}={v!r}" for k, v in ours[0].options.items())
        raise RecipeError(f"{library}'s {network} has {form}; the recipe's options say otherwise: {given}.")
    return PublicStart(fitting[0], place)


def load_public(model: nn.Module, start: PublicStart) -> list[str]:
    """Fill `model` in place with public weights, and say in sentences what was made to fit.

    A head for another number of classes starts anew, and so do auxiliary ones. Where the pictures are grey and the
    weights see colours, the first convolution gets the sum over the colours. Everything else must fit exactly.

    Raises:
        CheckpointError: keys are missing, unexpected or of another shape: all are listed, and nothing is loaded.
    """
    if any(p.is_meta for p in model.parameters()):  # made for its shapes alone: it has nothing to fill
        return []
    path = start.file()
    theirs = start.public.state(read_tensors(path))
    ours = model.state_dict()
    fit_heads = _fit_heads(start.public, ours, theirs) if start.public.heads else _fit_head(model, ours, theirs)
    notes = [*fit_heads, *_fit_first(ours, theirs)]
    for key, value in ours.items():
        if key.endswith("num_batches_tracked"):  # older files have none, and nothing depends on it
            theirs.setdefault(key, torch.zeros_like(value))
    check_keys(ours, theirs, str(path))
    model.load_state_dict({key: value.to(ours[key].dtype) for key, value in theirs.items()})
    return notes


def _fit_head(model: nn.Module, ours: dict[str, Tensor], theirs: dict[str, Tensor]) -> list[str]:
    """Keep our tensors wherever only the number of classes differs."""
    name, _ = find_head(model)
    key = f"{name}.weight"
    if key not in theirs or theirs[key].shape[1:] != ours[key].shape[1:] or theirs[key].shape == ours[key].shape:
        return []
    classes, wanted = theirs[key].shape[0], ours[key].shape[0]
    for k, value in theirs.items():
        same_but_classes = k in ours and value.shape[1:] == ours[k].shape[1:] and value.ndim > 0
        if same_but_classes and value.shape[0] == classes and ours[k].shape[0] == wanted:
            theirs[k] = ours[k]
    return [f"the last layer is new: {wanted} outputs instead of {classes}"]


def _fit_heads(public: PublicNetwork, ours: dict[str, Tensor], theirs: dict[str, Tensor]) -> list[str]:
    """Keep our tensors of a detector's heads where all that differs is the number of their outputs."""
    new = [
        key
        for key, value in ours.items()
        if any(re.search(pattern, key) for pattern in public.heads)
        and key in theirs
        and theirs[key].shape != value.shape
        and theirs[key].shape[1:] == value.shape[1:]
    ]
    theirs.update({key: ours[key] for key in new})
    layers = sorted({key.rpartition(".")[0] for key in new})
    return [f"new for the number of classes: {', '.join(layers)}"] if new else []


def _fit_first(ours: dict[str, Tensor], theirs: dict[str, Tensor]) -> list[str]:
    """Sum over the colours where our pictures are grey."""
    summed = [
        key
        for key, value in theirs.items()
        if value.ndim == 4 and value.shape[1] == 3 and key in ours and ours[key].shape == _grey(value.shape)
    ]
    for key in summed:
        theirs[key] = theirs[key].sum(dim=1, keepdim=True)
    return ["the first convolution is summed over the colours, for grey pictures"] if summed else []


def _grey(shape: torch.Size) -> torch.Size:
    return torch.Size((shape[0], 1, *shape[2:]))


def _checksum_in_name(url: str) -> str:
    """The digits that an address carries of its file's SHA-256, as torchvision's do: NAME-0123abcd.pth."""
    stem = url.rsplit("/", 1)[-1].rsplit(".", 1)[0]
    digits = stem.rpartition("-")[2].lower()
    if len(digits) >= 8 and all(c in "0123456789abcdef" for c in digits):
        return digits
    raise RecipeError(
        f"{url} does not carry its checksum, so what comes could not be checked. Download it yourself and give the path; "
        "addresses as torchvision's, NAME-0123abcd.pth, are taken."
    )
