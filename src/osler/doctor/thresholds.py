"""Every threshold of the checks, each with where it comes from. "Ours" was calibrated on sick, mended and healthy scripts."""

import math

# ---- softmax-before-cross-entropy
ROW_SUM = 1e-4  # rounding of float32 sums of probabilities


def probability_floor(classes: int) -> float:
    """The least cross entropy that probabilities in place of scores can reach: all on the right class of `classes`."""
    return math.log(1 + (classes - 1) * math.exp(-1))
