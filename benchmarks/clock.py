"""Where the time of a call goes, for the benchmarks beside this file."""

import time
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from typing import Any


class Clock:
    """Who spends the time: each watched call's own, without what it calls that is watched as well."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._running: list[str] = []
        self._since = 0.0

    def watch(self, owner: Any, method: str, part: str) -> None:
        """From here on calls of a method count for a part."""
        setattr(owner, method, partial(self._call, part, getattr(owner, method)))

    def _call(self, part: str, function: Callable[..., Any], *values: Any, **named: Any) -> Any:
        self._turn()
        self._running.append(part)
        try:
            return function(*values, **named)
        finally:
            self._turn()
            self._running.pop()

    def _turn(self) -> None:
        now = time.perf_counter()
        if self._running:
            self.seconds[self._running[-1]] += now - self._since
        self._since = now
