"""Average pooling: the mean under each window goes on, and its gradient goes back in equal parts."""

from abc import abstractmethod
from typing import Any

import torch
from torch import nn

from osler.anatomy.backprop.max_pool_rule import square_window
from osler.anatomy.backprop.numbers import at, largest, number, products
from osler.anatomy.backprop.rule import Rule, Values, rule_for
from osler.anatomy.backprop.statement import Figure, Signs, Statement, axes_of
from osler.ops.convolution import Window
from osler.ops.pooling import average_pool, average_pool_backward
from osler.structures.errors import RecipeError


class _Averaging(Rule):
    """Any linear map whose outputs are means of inputs; what each input counts is read off it."""

    says = ""

    def say_forward(self, signs: Signs) -> list[Statement]:
        """Means."""
        place = largest(self.y)
        share = self._shares(place)
        chosen = share != 0
        worked = products(list(zip(share[chosen].tolist(), self.x[chosen].tolist(), strict=True)))
        return [
            Statement(
                self.says,
                signs(
                    r"@y_{n,c,r,k} = \sum_{h,w} s_{(r,k),(h,w)} \, @x_{n,c,h,w}, \quad "
                    r"s = \frac{1}{m} \text{ under the window, else } 0"
                ),
                signs(rf"@y_{{{at(place)}}} = {worked} = {number(self.y[place])}"),
                (Figure(signs("@y"), self.y, axes_of(4)),),
            )
        ]

    def say_backward(self, signs: Signs) -> list[Statement]:
        """Equal parts."""
        place = largest(self.dx)
        n, c = place[:2]
        pairs = [(float(self.dy[n, c, r, k]), float(self._shares((n, c, r, k))[place]))
                 for r in range(self.dy.shape[2]) for k in range(self.dy.shape[3])]  # fmt: skip
        return [
            Statement(
                "Each of the m values under a window moved the mean by one m-th: the gradient is shared out in equal parts.",
                signs(r"@dx_{n,c,h,w} = \sum_{r,k} s_{(r,k),(h,w)} \, @dy_{n,c,r,k}"),
                signs(rf"@dx_{{{at(place)}}} = {products(pairs)} = {number(self.dx[place])}"),
                (Figure(signs("@dx"), self.dx, axes_of(4)),),
            )
        ]

    def forward(self, *inputs: Values) -> Values:
        """Means."""
        self.x = inputs[0]
        self.y = self._mean(self.x)
        return self.y

    def backward(self, gradient: Values) -> tuple[Values, ...]:
        """Equal parts."""
        self.dy = gradient
        self.dx = self._spread(gradient)
        return (self.dx,)

    def _shares(self, place: tuple[int, ...]) -> Values:
        """What each input counts in one output."""
        one = torch.zeros_like(self.y)
        one[place] = 1
        return self._spread(one)

    @abstractmethod
    def _mean(self, x: Values) -> Values:
        """The means."""

    @abstractmethod
    def _spread(self, gradient: Values) -> Values:
        """The same map the other way."""


@rule_for(nn.AvgPool2d)
class AveragePoolRule(_Averaging):
    """Square windows."""

    def __init__(self, module: nn.AvgPool2d) -> None:
        if module.divisor_override is not None:
            raise RecipeError(f"{module}: there is no worked rule for a divisor of one's own.")
        self.window: Window = square_window(module)
        self.count_padding = bool(module.count_include_pad)
        counted = "" if not self.window.padding else f"; padding {'counts' if self.count_padding else 'does not count'}"
        kernel, stride = self.window.kernel, self.window.stride
        self.says = f"The mean under each window of {kernel}x{kernel}, stride {stride}{counted}, goes on."

    def _mean(self, x: Values) -> Values:
        return average_pool(x, self.window, count_padding=self.count_padding)

    def _spread(self, gradient: Values) -> Values:
        size = (self.x.shape[2], self.x.shape[3])
        return average_pool_backward(gradient, size, self.window, count_padding=self.count_padding)


@rule_for(nn.AdaptiveAvgPool2d)
class AdaptiveAveragePoolRule(_Averaging):
    """As many windows as are asked for, from floor(i H / out) to ceil((i + 1) H / out); one of them is the whole map."""

    def __init__(self, module: nn.AdaptiveAvgPool2d) -> None:
        size: Any = module.output_size
        self.size = size if isinstance(size, tuple) else (size, size)
        self.says = "The map is cut into windows; the mean of each goes on."
        if self.size == (1, 1):
            self.says = "The mean of each whole map goes on (global average pooling)."

    def _mean(self, x: Values) -> Values:
        down, across = self._means()
        return down @ x @ across.T

    def _spread(self, gradient: Values) -> Values:
        down, across = self._means()
        return down.T @ gradient @ across

    def _means(self) -> tuple[Values, Values]:
        rows, columns = (_mean_matrix(i, o or i) for i, o in zip(self.x.shape[2:], self.size, strict=True))
        return rows, columns


def _mean_matrix(size: int, windows: int) -> Values:
    """Row i holds one share of the mean for each position of window i."""
    matrix = torch.zeros(windows, size, dtype=torch.float64)
    for i in range(windows):
        first, last = i * size // windows, -(-(i + 1) * size // windows)
        matrix[i, first:last] = 1 / (last - first)
    return matrix
