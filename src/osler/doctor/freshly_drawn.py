"""Whether weights are as an initialiser draws them: their spread, their bounds and their mean tell it of large matrices."""

import math

from osler.doctor import thresholds
from osler.vitals.evidence import ParameterSeen


def fans(shape: tuple[int, ...]) -> tuple[int, int]:
    """Fan-in and fan-out as PyTorch counts them: of convolutions times the kernel's area."""
    area = math.prod(shape[2:])
    return shape[1] * area, shape[0] * area


def is_freshly_drawn(parameter: ParameterSeen) -> bool:
    """Whether a matrix has mean 0 and exactly the spread that PyTorch's default, He's, Glorot's or LeCun's rule draws.

    Training moves spreads by more than the chance of drawing does, which is 1 / sqrt(2 n) of a normal distribution and
    about half of that of a uniform one, for n values.
    """
    start = parameter.start
    if len(parameter.shape) < 2 or start.count < thresholds.VALUES_TO_TELL or not start.std > 0 or start.bad:
        return False
    values = min(start.count, thresholds.VALUES_SUMMARISED)
    if abs(start.mean) > thresholds.CHANCE_ERRORS * start.std / math.sqrt(values):
        return False
    error = thresholds.CHANCE_ERRORS / math.sqrt(2 * values)
    fan_in, fan_out = fans(parameter.shape)
    bound = max(abs(start.low), abs(start.high))
    for variance in (1 / (3 * fan_in), 2 / fan_in, 2 / fan_out, 2 / (fan_in + fan_out), 1 / fan_in, 1.0, 0.0004):
        expected = math.sqrt(variance)
        uniform = bound <= expected * math.sqrt(3) * (1 + 1e-5)
        normal = bound > 2 * expected and variance != 1 / (3 * fan_in)
        if abs(start.std / expected - 1) < error and (uniform or normal):
            return True
    return False
