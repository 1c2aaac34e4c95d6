"""Max pooling: the largest under each window goes on, and its gradient goes back to it alone."""

import torch
from torch import nn

from osler.anatomy.backprop.convolution_rule import index
from osler.anatomy.backprop.numbers import at, largest, number, sums
from osler.anatomy.backprop.rule import Rule, Values, rule_for
from osler.anatomy.backprop.statement import Figure, Signs, Statement, axes_of
from osler.ops.convolution import Window
from osler.ops.pooling import max_pool, max_pool_backward
from osler.structures.errors import RecipeError


@rule_for(nn.MaxPool2d)
class MaxPoolRule(Rule):
    """Square windows, of equal values the first wins."""

    def __init__(self, module: nn.MaxPool2d) -> None:
        self.window = square_window(module)

    def forward(self, *inputs: Values) -> Values:
        """The largest values, and where they stood."""
        self.x = inputs[0]
        self.y, self.winner = max_pool(self.x, self.window)
        return self.y

    def backward(self, gradient: Values) -> tuple[Values, ...]:
        """To the winners."""
        self.dy = gradient
        self.dx = max_pool_backward(gradient, self.winner, (self.x.shape[2], self.x.shape[3]))
        return (self.dx,)

    def say_forward(self, signs: Signs) -> list[Statement]:
        """Values and winners."""
        place = largest(self.y)
        n, c, h, w = self._won(*place)
        r, k = index("r", "u", self.window), index("k", "v", self.window)
        return [
            Statement(
                f"The largest value under each window of {self.window.kernel}x{self.window.kernel}, stride {self.window.stride}, "
                "goes on; where it stood is remembered. Winners are marked in the input.",
                signs(rf"@y_{{n,c,r,k}} = \max_{{u,v}} @x_{{n,c,{r},{k}}}"),
                signs(
                    rf"@y_{{{at(place)}}} = \max \left( {self._candidates(*place)} \right) = {number(self.y[place])} "
                    rf"= @x_{{{at((n, c, h, w))}}}"
                ),
                (
                    Figure(signs("@x"), self.x, axes_of(4), self._winners()),
                    Figure(signs("@y"), self.y, axes_of(4)),
                ),
            )
        ]

    def say_backward(self, signs: Signs) -> list[Statement]:
        """The routing."""
        n, c, h, w = place = largest(self.dx)
        windows = (self.winner[n, c] == h * self.x.shape[3] + w).nonzero().tolist()
        ways = " + ".join(f"@dy_{{{at((n, c, r, k))}}}" for r, k in windows) or "0"
        worked = "" if len(windows) < 2 else f" = {sums([float(self.dy[n, c, r, k]) for r, k in windows])}"
        return [
            Statement(
                "Only the winner moves the maximum: each gradient goes whole to the position that won, and one that won in "
                "several windows adds them up. All others get 0.",
                signs(r"@dx_{n,c,h,w} = \sum_{r,k \,:\, (h,w) \text{ won } (r,k)} @dy_{n,c,r,k}"),
                signs(rf"@dx_{{{at(place)}}} = {ways}{worked} = {number(self.dx[place])}"),
                (Figure(signs("@dx"), self.dx, axes_of(4), self._winners()),),
            )
        ]

    def _won(self, n: int, c: int, r: int, k: int) -> tuple[int, int, int, int]:
        h, w = divmod(int(self.winner[n, c, r, k]), self.x.shape[3])
        return n, c, h, w

    def _winners(self) -> Values:
        flat = torch.zeros_like(self.x, dtype=torch.bool).flatten(2)
        return flat.scatter_(2, self.winner.flatten(2), True).unflatten(2, self.x.shape[2:])

    def _candidates(self, n: int, c: int, r: int, k: int) -> str:
        rows, columns = (_covered(p, self.window, s) for p, s in zip((r, k), self.x.shape[2:], strict=True))
        return ", \\; ".join(number(self.x[n, c, h, w]) for h in rows for w in columns)


def square_window(module: nn.MaxPool2d | nn.AvgPool2d) -> Window:
    """How a pooling walks over its map.

    Raises:
        RecipeError: its rows and columns are treated differently.
    """
    settings = []
    for value in (module.kernel_size, module.stride, module.padding, getattr(module, "dilation", 1)):
        pair = value if isinstance(value, tuple) else (value, value)
        if pair[0] != pair[-1]:
            raise RecipeError(f"{module}: there is a worked rule for square windows of a pooling only.")
        settings.append(int(pair[0]))
    kernel, stride, padding, dilation = settings
    return Window(kernel, stride, padding, dilation, ceil=bool(module.ceil_mode))


def _covered(position: int, window: Window, size: int) -> list[int]:
    """Input positions under a window, without the padding."""
    first = position * window.stride - window.padding
    return [p for p in range(first, first + window.span, window.dilation) if 0 <= p < size]
