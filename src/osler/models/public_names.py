"""Public networks under other names: which of ours is torchvision's or timm's, and how their weights' keys are ours.

A family files its networks with `publish`, beside the network. Nothing of the other libraries is imported: only the
names under which the world stores weights are known here.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from torch import Tensor

from osler.structures.errors import RecipeError, UnknownNameError
from osler.structures.registry import unknown

Library = Literal["torchvision", "timm"]
Renames = tuple[tuple[str, str], ...]  # regular expressions of their keys and what stands there in ours, tried in order


@dataclass(frozen=True, slots=True)
class PublicNetwork:
    """A network as another library publishes it."""

    library: Library
    name: str  # there
    network: str  # ours
    options: Mapping[str, Any] = field(default_factory=dict)  # that make ours equal to it
    renames: Renames = ()
    heads: tuple[str, ...] = ()  # expressions of our keys that depend on the classes; empty: the last layer's

    def key(self, theirs: str) -> str:
        """Our name of a tensor: the first expression that fits a part of theirs replaces it; else it is the same."""
        for pattern, replacement in self.renames:
            ours, count = re.subn(pattern, replacement, theirs)
            if count:
                return ours
        return theirs

    def state(self, theirs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Their state under our names.

        Raises:
            RecipeError: two of their keys would be one of ours.
        """
        ours: dict[str, Tensor] = {}
        for key, value in theirs.items():
            name = self.key(key)
            if name in ours:
                raise RecipeError(f"The keys of {self.library}:{self.name} do not map one to one: {name} comes twice.")
            ours[name] = value
        return ours


_published: dict[tuple[str, str], PublicNetwork] = {}


def publish(
    library: Library,
    name: str,
    network: str | None = None,
    *,
    renames: Iterable[tuple[str, str]] = (),
    heads: Iterable[str] = (),
    **options: Any,
) -> None:
    """File that `library`'s network `name` is ours (`network`, by default of the same name) with these options.

    A detector has several layers that depend on the classes: `heads` are expressions that find them among our keys.
    """
    _published[library, name] = PublicNetwork(library, name, network or name, options, tuple(renames), tuple(heads))


def published() -> list[PublicNetwork]:
    """All public networks and detectors that ours can be, sorted by library and name."""
    import osler.models.detection.families
    import osler.models.families  # noqa: F401  filled on first use: the families themselves import this module

    return [_published[key] for key in sorted(_published)]


def find_public(library: str, name: str) -> PublicNetwork:
    """The public network of that name.

    Raises:
        UnknownNameError: there is none; the message offers the nearest.
    """
    known = {p.name: p for p in published() if p.library == library}
    if name not in known:
        raise UnknownNameError(unknown(f"network of {library}", name, known))
    return known[name]
