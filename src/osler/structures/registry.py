"""Names for things: a registry that a decorator fills, and the nearest name when one is misspelled."""

from collections.abc import Callable, Iterable, Iterator
from difflib import get_close_matches
from typing import Generic, TypeVar

from osler.structures.errors import UnknownNameError

T = TypeVar("T")


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that is spelled most like `name`, or None when none is close."""
    by_lower = {k.lower(): k for k in known}
    found = get_close_matches(name.lower(), by_lower, n=1, cutoff=0.5)
    return by_lower[found[0]] if found else None


def unknown(kind: str, name: str, known: Iterable[str]) -> str:
    """The sentence that says a name is not known, with the nearest one and then all of them."""
    known = sorted(known)
    close = nearest(name, known)
    hint = f" Did you mean {close!r}?" if close else ""
    return f"There is no {kind} called {name!r}.{hint} Known: {', '.join(known)}."


class Registry(Generic[T]):
    """A mapping from names to things of one kind.

    >>> optimizers = Registry("optimizer")
    >>> @optimizers.register("sgd")
    ... def sgd(): ...
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._things: dict[str, T] = {}

    def register(self, *names: str) -> Callable[[T], T]:
        """Decorator: file the thing below under these names."""

        def file(thing: T) -> T:
            for name in names:
                if name in self._things:
                    raise ValueError(f"Two {self.kind}s are called {name!r}.")
                self._things[name] = thing
            return thing

        return file

    def __getitem__(self, name: str) -> T:
        """The thing of that name.

        Raises:
            UnknownNameError: nothing has that name; the message offers the nearest.
        """
        if name not in self._things:
            raise UnknownNameError(unknown(self.kind, name, self._things))
        return self._things[name]

    def __contains__(self, name: object) -> bool:
        return name in self._things

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._things))

    def __len__(self) -> int:
        return len(self._things)
