"""The convolutional layer: the same weighted sum at every position."""

import torch
from torch import nn

from osler.anatomy.backprop.numbers import at, largest, number, products, sums
from osler.anatomy.backprop.rule import Rule, Values, rule_for
from osler.anatomy.backprop.statement import Figure, Signs, Statement, axes_of
from osler.ops.convolution import Window
from osler.ops.convolution_backward import convolution_backward, convolve_by_place
from osler.structures.errors import RecipeError

MAPS = axes_of(4)
KERNEL = ("output channel", "input channel", "row", "column")


@rule_for(nn.Conv2d)
class ConvolutionRule(Rule):
    """Any stride, padding with zeros, dilation and grouping."""

    def __init__(self, module: nn.Conv2d) -> None:
        self.down, self.across = windows_of(module)
        self.weight = module.weight.detach()
        self.bias = None if module.bias is None else module.bias.detach()
        self.groups = module.groups

    def forward(self, *inputs: Values) -> Values:
        """Cross-correlation, and the bias."""
        self.x = inputs[0]
        self.y = convolve_by_place(self.x, self.weight, self.down, self.across, groups=self.groups)
        if self.bias is not None:
            self.y = self.y + self.bias.view(-1, 1, 1)
        return self.y

    def backward(self, gradient: Values) -> tuple[Values, ...]:
        """By the places of the kernel."""
        self.dy = gradient
        found = convolution_backward(gradient, self.x, self.weight, self.down, self.across, groups=self.groups)
        self.dx, self.d_weight, self.d_bias = found
        return (self.dx,)

    def parameter_gradients(self) -> dict[str, Values]:
        """Of weight and bias."""
        return {"weight": self.d_weight} | ({} if self.bias is None else {"bias": self.d_bias})

    def say_forward(self, signs: Signs) -> list[Statement]:
        """A window that slides."""
        n, o, r, c = place = largest(self.y)
        bias = [] if self.bias is None else [float(self.bias[o])]
        worked = products(_pairs(self._patch(n, o, r, c), self.weight[o]), plus=bias)
        plus = " + @b_{o}" if bias else ""
        figures = [Figure(signs("@W"), self.weight, KERNEL)]
        if self.bias is not None:
            figures.append(Figure(signs("@b"), self.bias, ("output channel",)))
        return [
            Statement(
                f"The kernel slides over the maps and at each position adds up weight times value. {self._geometry()}",
                signs(
                    rf"@y_{{n,o,r,c}} = \sum_{{i,u,v}} @W_{{o,i,u,v}} \, @x_{{n,i,{self._row()},{self._column()}}}{plus}"
                ),
                signs(rf"@y_{{{at(place)}}} = {worked} = {number(self.y[place])}"),
                (*figures, Figure(signs("@y"), self.y, MAPS)),
            )
        ]

    def say_backward(self, signs: Signs) -> list[Statement]:
        """Weights, bias, input."""
        o, i, u, v = place = largest(self.d_weight)
        worked = products(self._shared(o, i, u, v))
        where = rf"@x_{{n,i,{self._row()},{self._column()}}}"
        said = [
            Statement(
                "A weight is used at every position of every sample, so its gradient adds up over all of them: the "
                "correlation of the errors with what the weight saw.",
                signs(rf"\frac{{\partial L}}{{\partial @W_{{o,i,u,v}}}} = \sum_{{n,r,c}} @dy_{{n,o,r,c}} \, {where}"),
                signs(
                    rf"\frac{{\partial L}}{{\partial @W_{{{at(place)}}}}} = {worked} = {number(self.d_weight[place])}"
                ),
                (Figure(signs(r"\frac{\partial L}{\partial @W}"), self.d_weight, KERNEL),),
            )
        ]
        if self.bias is not None:
            (o,) = largest(self.d_bias)
            worked = sums(self.dy[:, o].flatten().tolist())
            said.append(
                Statement(
                    "The bias is added everywhere: its gradient is the sum of the channel's errors.",
                    signs(r"\frac{\partial L}{\partial @b_{o}} = \sum_{n,r,c} @dy_{n,o,r,c}"),
                    signs(rf"\frac{{\partial L}}{{\partial @b_{{{o}}}}} = {worked} = {number(self.d_bias[o])}"),
                    (Figure(signs(r"\frac{\partial L}{\partial @b}"), self.d_bias, ("output channel",)),),
                )
            )
        return [*said, self._say_input(signs)]

    def _say_input(self, signs: Signs) -> Statement:
        place = largest(self.dx)
        way = f"{self._row()} = h, \\; {self._column()} = w"
        also = " With a stride of 1 that is a convolution with the kernel turned round." if self._plain() else ""
        return Statement(
            "A value goes back every way that it went: to each output whose window covered it, by the weight that lay on "
            f"it.{also}",
            signs(rf"@dx_{{n,i,h,w}} = \sum_{{o,u,v,r,c \,:\, {way}}} @dy_{{n,o,r,c}} \, @W_{{o,i,u,v}}"),
            signs(rf"@dx_{{{at(place)}}} = {products(self._ways(*place))} = {number(self.dx[place])}"),
            (Figure(signs("@dx"), self.dx, MAPS),),
        )

    def _geometry(self) -> str:
        by = f"Kernel {self.down.kernel}x{self.across.kernel}, stride {_both(self.down.stride, self.across.stride)}, "
        by += f"padding {_both(self.down.padding, self.across.padding)}"
        if (self.down.dilation, self.across.dilation) != (1, 1):
            by += f", dilation {_both(self.down.dilation, self.across.dilation)}"
        if self.groups > 1:
            by += f"; {self.groups} groups, so that i runs over the {self.weight.shape[1]} channels of the output's own group"
        return by + "."

    def _plain(self) -> bool:
        return self.down.stride == self.across.stride == 1

    def _row(self) -> str:
        return index("r", "u", self.down)

    def _column(self) -> str:
        return index("c", "v", self.across)

    def _first(self, o: int) -> int:
        """The first input channel of an output's group."""
        return o // (self.weight.shape[0] // self.groups) * self.weight.shape[1]

    def _patch(self, n: int, o: int, r: int, c: int) -> Values:
        """What lies under the kernel."""
        first = self._first(o)
        under = self._padded()[n, first : first + self.weight.shape[1]]
        return under[:, _under(r, self.down), _under(c, self.across)]

    def _shared(self, o: int, i: int, u: int, v: int) -> list[tuple[float, float]]:
        """Errors, and what one weight saw at their positions."""
        rows, columns = self.dy.shape[2:]
        seen = self._padded()[:, self._first(o) + i]
        top, left = u * self.down.dilation, v * self.across.dilation
        seen = seen[:, top :: self.down.stride, left :: self.across.stride][:, :rows, :columns]
        return _pairs(self.dy[:, o], seen)

    def _ways(self, n: int, i: int, h: int, w: int) -> list[tuple[float, float]]:
        """Errors that a value has a part in, and the weights by which."""
        found = []
        for o in range(len(self.weight)):
            inside = i - self._first(o)
            if not 0 <= inside < self.weight.shape[1]:
                continue
            for u, r in _outputs(h, self.down, self.dy.shape[2]):
                for v, c in _outputs(w, self.across, self.dy.shape[3]):
                    found.append((float(self.dy[n, o, r, c]), float(self.weight[o, inside, u, v])))
        return found

    def _padded(self) -> Values:
        sides = [self.across.padding] * 2 + [self.down.padding] * 2
        return torch.nn.functional.pad(self.x, sides)


def windows_of(module: nn.Conv2d) -> tuple[Window, Window]:
    """How a convolution walks over rows and columns.

    Raises:
        RecipeError: it pads with something other than zeros, or more on one side than on the other.
    """
    if module.padding_mode != "zeros":
        raise RecipeError(f"{module}: there is a worked rule for padding with zeros only.")
    found = []
    for way in (0, 1):
        kernel, dilation, padding = module.kernel_size[way], module.dilation[way], module.padding
        if isinstance(padding, str):
            whole = 0 if padding == "valid" else dilation * (kernel - 1)
            if whole % 2:
                raise RecipeError(f"{module}: padding='same' would differ from side to side; use an odd kernel.")
            own = whole // 2
        else:
            own = padding[way]
        found.append(Window(kernel, module.stride[way], own, dilation))
    return found[0], found[1]


def index(position: str, place: str, window: Window) -> str:
    """The input position that a place of the window lies on, in letters: 2 r + u - 1."""
    text = position if window.stride == 1 else f"{window.stride} {position}"
    if window.kernel > 1:
        text += f" + {place}" if window.dilation == 1 else f" + {window.dilation} {place}"
    return text + (f" - {window.padding}" if window.padding else "")


def _under(position: int, window: Window) -> slice:
    first = position * window.stride
    return slice(first, first + window.span, window.dilation)


def _outputs(position: int, window: Window, count: int) -> list[tuple[int, int]]:
    """The places of the kernel that lay on an input position, each with the output position that it served."""
    found = []
    for place in range(window.kernel):
        output, rest = divmod(position + window.padding - place * window.dilation, window.stride)
        if not rest and 0 <= output < count:
            found.append((place, output))
    return found


def _both(down: int, across: int) -> str:
    return str(down) if down == across else f"{down} down and {across} across"


def _pairs(a: Values, b: Values) -> list[tuple[float, float]]:
    return list(zip(a.flatten().tolist(), b.flatten().tolist(), strict=True))
