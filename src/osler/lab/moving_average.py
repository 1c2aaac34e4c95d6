"""The exponential moving average and its bias correction (row OP09), as in Adam, norm layers and weight averages."""

import numpy as np
from jaxtyping import Float

Series = Float[np.ndarray, " steps"]


def moving_average(values: Series, *, beta: float, corrected: bool = False) -> Series:
    """a(t) = beta a(t-1) + (1 - beta) x(t), a(0) = 0; corrected: over 1 - beta^t (Kingma & Ba 2015, section 3)."""
    averages, current = np.empty(len(values)), 0.0
    for i, value in enumerate(values):
        current = beta * current + (1 - beta) * value
        averages[i] = current / (1 - beta ** (i + 1)) if corrected else current
    return averages


def shares(steps: int, *, beta: float) -> Series:
    """How much each of `steps` values, oldest first, counts in the last average: (1 - beta) beta^age.

    They sum to 1 - beta^steps.
    """
    return (1 - beta) * beta ** np.arange(steps - 1, -1, -1.0)


def memory_length(beta: float) -> float:
    """About how many values the average remembers: 1 / (1 - beta), after which a share has fallen to about 1/e."""
    return 1 / (1 - beta)
