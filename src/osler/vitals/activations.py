"""Where the slope of an activation is nearly gone."""

import math

import torch
from torch import Tensor

# The activation at which its slope falls under 1 % of its largest, from the formulas of the slopes:
# sigmoid' = s(1 - s) <= 0.01/4 -> s <= 0.0025126 or s >= 0.9974874; tanh' = 1 - t^2 <= 0.01 -> |t| >= 0.9949874.
SIGMOID_EDGE = 0.002_512_6
TANH_EDGE = 0.994_987_4

RELU_FAMILY = frozenset({"ReLU", "ReLU6", "relu", "relu6", "relu_", "clamp", "threshold", "Threshold"})
SIGMOIDS = frozenset({"Sigmoid", "sigmoid"})
TANHS = frozenset({"Tanh", "tanh"})
ACTIVATIONS = RELU_FAMILY | SIGMOIDS | TANHS | frozenset(
    {
        "LeakyReLU", "leaky_relu", "ELU", "elu", "SELU", "selu", "CELU", "celu", "GELU", "gelu", "SiLU", "silu", "Mish", "mish",
        "PReLU", "prelu", "RReLU", "rrelu", "Softplus", "softplus", "Softsign", "softsign", "Hardtanh", "hardtanh", "Hardswish",
        "hardswish", "Hardsigmoid", "hardsigmoid", "GLU", "glu", "LogSigmoid", "logsigmoid", "Softmax", "softmax", "LogSoftmax",
        "log_softmax", "Tanhshrink", "Softshrink", "Hardshrink",
    }
)  # fmt: skip


def saturated_share(kind: str, output: Tensor, given: Tensor | None = None) -> float:
    """Share of a sigmoid's or tanh's outputs where the slope is under 1 % of its largest; NaN for other layers."""
    values = output.detach()
    with torch.no_grad():
        if kind in SIGMOIDS:
            return float(((values < SIGMOID_EDGE) | (values > 1 - SIGMOID_EDGE)).float().mean())
        if kind in TANHS:
            return float((values.abs() > TANH_EDGE).float().mean())
    return math.nan
