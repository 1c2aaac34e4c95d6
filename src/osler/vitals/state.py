"""What the recorders share: the evidence, where the training stands, and a way to change things so that it can be undone."""

import functools
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FunctionType
from typing import Any

import torch

from osler.vitals.evidence import Evidence, Site
from osler.vitals.sampling import Schedule
from osler.vitals.sites import persons_site

ORDER_KEPT = 2_000
Hook = Callable[..., Any]


class Patches:
    """Attributes of other people's modules and classes, replaced for a while."""

    def __init__(self) -> None:
        self._before: list[tuple[Any, str, Any, bool]] = []

    def replace(self, owner: Any, name: str, make: Callable[[Any], Any]) -> None:
        """Puts `make(original)` in the place of `owner.name`; a name that is not there is left alone."""
        original = getattr(owner, name, None)
        if original is None:
            return
        own = name in vars(owner) or isinstance(owner, FunctionType)  # else it is inherited
        self._before.append((owner, name, original, own))
        setattr(owner, name, make(original))

    def undo(self) -> None:
        """Puts everything back, the last first."""
        while self._before:
            owner, name, original, own = self._before.pop()
            if own:
                setattr(owner, name, original)
            else:
                delattr(owner, name)


class State:
    """One watch: what it has seen, and where the training stands."""

    def __init__(self) -> None:
        self.evidence = Evidence()
        self.schedule = Schedule()
        self.step = 0  # updates made
        self.dense = self.schedule.is_due(1)  # whether the coming update is looked at closely
        self.troubles: Counter[str] = Counter()  # what went wrong in our own hooks: they never disturb the program
        self.at_forward: list[Hook] = []  # called when a network is called from outside
        self.running: list[torch.nn.Module] = []  # the modules whose forward is running, outermost first
        self.began = time.perf_counter()
        self._quiet = 0
        self._process, self._thread = os.getpid(), threading.get_ident()

    @property
    def listening(self) -> bool:
        """False in our own probes, in other threads and forked processes, and while torch.compile reads the code."""
        return (
            not torch.compiler.is_compiling()  # first: what torch.compile reads must be short
            and self._quiet == 0
            and threading.get_ident() == self._thread
            and os.getpid() == self._process
        )

    @property
    def silent(self) -> bool:
        """Whether our own code is running: the cheapest question, for the hottest wrappers."""
        return self._quiet > 0

    @contextmanager
    def quiet(self) -> Iterator[None]:
        """What runs inside is ours, and is not recorded."""
        self._quiet += 1
        try:
            yield
        finally:
            self._quiet -= 1

    def guarded(self, hook: Hook) -> Hook:
        """The hook, silent while not listening, and harmless: its own errors are counted, never raised."""

        @functools.wraps(hook)
        def safe(*args: Any, **kwargs: Any) -> None:
            if not self.listening:
                return
            self._quiet += 1
            try:
                hook(*args, **kwargs)
            except Exception as error:
                self.troubles[f"{hook.__qualname__}: {type(error).__name__}: {error}"[:300]] += 1
                if os.environ.get("OSLER_STRICT"):
                    raise
            finally:
                self._quiet -= 1

        return safe

    def event(self, letter: str, site: Site | None = None) -> None:
        """Notes that something happened: see `events.py` for the letters. With its line while those are few."""
        evidence = self.evidence
        evidence.event_counts[letter] += 1
        if len(evidence.order) < ORDER_KEPT:
            evidence.order += letter
            site = site or persons_site()
            if site is not None:
                evidence.event_sites.setdefault(letter, Counter())[site] += 1

    def step_made(self) -> None:
        """An optimizer has made an update."""
        self.step += 1
        self.evidence.steps = self.step
        self.dense = self.schedule.is_due(self.step + 1)
        self.running.clear()
