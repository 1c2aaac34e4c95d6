"""Whether weights are as an initialiser draws them: their spread, their bounds and their mean tell it of large matrices."""

import math

import numpy as np

from osler.doctor import thresholds
from osler.doctor.case import Case
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
    if (
        len(parameter.shape) < 2
        or start.count < thresholds.VALUES_TO_TELL
        or not start.std > 0
        or start.bad
        or start.zeros > 0.01
    ):
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


def learnt_before(case: Case, name: str, parameter: ParameterSeen) -> bool:
    """Whether another network had these values: at its end, where it was trained before; or at its start, of a copy."""
    for model in case.evidence.models:
        for other_name, other in model.parameters.items():
            if other is parameter or other.shape != parameter.shape or other.end_values is None:
                continue
            taught = other.moved or other.gradients_seen > 0
            if taught and np.array_equal(other.end_values, parameter.start_values):
                return True
            same_start = np.array_equal(other.start_values, parameter.start_values)
            if same_start and other.requires_grad and other_name != name:
                return True  # a copy within the network, such as a target that has not moved yet
    return False
