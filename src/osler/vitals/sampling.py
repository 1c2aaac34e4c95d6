"""Which updates are looked at closely: densely at the start, ever more rarely later, densely again when something moves."""

import math


class Schedule:
    """The steps 1 to 5, then ever a fifth more, at most 500 apart; and the three after a step at which the loss jumped.

    It depends on steps and losses alone, not on time, so that the same program is looked at in the same places.
    """

    def __init__(self, dense_until: int = 5, growth: float = 1.2, largest_gap: int = 500) -> None:
        self._dense_until, self._growth, self._largest_gap = dense_until, growth, largest_gap
        self._next = 1
        self._alarm_until = 0
        self._alarms = 0
        self._level = math.nan  # running mean of the loss

    def is_due(self, step: int) -> bool:
        """Whether the update number `step` (from 1) is to be looked at; ask once for each, in order."""
        if step <= self._alarm_until:
            return True
        if step < self._next:
            return False
        gap = min(self._largest_gap, max(1, round(step * (self._growth - 1)))) if step >= self._dense_until else 1
        self._next = step + gap
        return True

    def saw_loss(self, step: int, loss: float) -> None:
        """A loss five times its usual height, or one that is not finite, makes the next three steps dense; ten times at most."""
        if (
            self._alarms < 10
            and step > self._alarm_until
            and not loss <= 5 * self._level
            and not math.isnan(self._level)
        ):
            self._alarms += 1
            self._alarm_until = step + 3
        if math.isfinite(loss):
            self._level = abs(loss) if math.isnan(self._level) else 0.9 * self._level + 0.1 * abs(loss)
