"""Batch norm with all its terms, in training; in evaluation it is a scaling by what was remembered."""

import torch
from torch import nn

from osler.anatomy.backprop.numbers import at, factor, largest, number, products, sums
from osler.anatomy.backprop.rule import Rule, Values, rule_for
from osler.anatomy.backprop.statement import Figure, Signs, Statement, axes_of
from osler.ops.normalisation import batch_norm, batch_norm_backward

CHANNEL = ("channel",)


@rule_for(nn.BatchNorm1d, nn.BatchNorm2d)
class BatchNormRule(Rule):
    """Mean and variance of each channel over batch and positions, both of which depend on every input."""

    def __init__(self, module: nn.BatchNorm1d | nn.BatchNorm2d) -> None:
        self.eps, self.affine = module.eps, module.affine
        ones = torch.ones(module.num_features, dtype=torch.float64)
        self.scale = module.weight.detach() if module.affine else ones
        self.shift = module.bias.detach() if module.affine else torch.zeros_like(ones)
        self.by_batch = module.training or module.running_mean is None
        if not self.by_batch:
            assert module.running_mean is not None
            assert module.running_var is not None
            self.running = (module.running_mean.clone(), module.running_var.clone())

    def forward(self, *inputs: Values) -> Values:
        """Standardised, scaled and shifted."""
        self.x = inputs[0]
        self.over = [0, *range(2, self.x.ndim)]
        self.m = self.x.numel() // self.x.shape[1]
        if self.by_batch:
            self.seen = batch_norm(self.x, self.scale, self.shift, eps=self.eps)
            self.mean, self.variance, self.deviation = self.seen.mean, self.seen.variance, self.seen.deviation
            self.x_hat, self.y = self.seen.x_hat, self.seen.output
        else:
            self.mean, self.variance = self.running
            self.deviation = (self.variance + self.eps).sqrt()
            self.x_hat = (self.x - self._wide(self.mean)) / self._wide(self.deviation)
            self.y = self._wide(self.scale) * self.x_hat + self._wide(self.shift)
        return self.y

    def backward(self, gradient: Values) -> tuple[Values, ...]:
        """Term by term as the chain rule finds them, and put together as one formula: the two must agree."""
        self.dy = gradient
        self.d_x_hat = gradient * self._wide(self.scale)
        straight = self.d_x_hat / self._wide(self.deviation)
        if not self.by_batch:
            self.d_shift, self.d_scale = gradient.sum(self.over), (gradient * self.x_hat).sum(self.over)
            self.dx = straight
            return (self.dx,)
        self.dx, self.d_scale, self.d_shift = batch_norm_backward(gradient, self.seen, self.scale)
        centred = self.x - self._wide(self.mean)
        self.d_variance = (self.d_x_hat * centred).sum(self.over) * -0.5 * self.deviation**-3
        self.d_mean = -straight.sum(self.over) - 2 / self.m * self.d_variance * centred.sum(self.over)
        self.by_variance = self._wide(self.d_variance) * 2 * centred / self.m
        self.by_mean = self._wide(self.d_mean).expand_as(self.x) / self.m
        self.straight = straight
        self.gap = float((straight + self.by_variance + self.by_mean - self.dx).abs().max())
        return (self.dx,)

    def parameter_gradients(self) -> dict[str, Values]:
        """Of scale and shift."""
        return {"weight": self.d_scale, "bias": self.d_shift} if self.affine else {}

    def say_forward(self, signs: Signs) -> list[Statement]:
        """Mean, variance, standardised, output."""
        said = self._say_statistics(signs) if self.by_batch else [self._say_remembered(signs)]
        place, axes = largest(self.x_hat), axes_of(self.x.ndim)
        c = place[1]
        i = _letters(self.x.ndim)
        said.append(
            Statement(
                "Each value is centred and divided by the standard deviation; epsilon keeps that from being zero.",
                signs(rf"\hat{{x}}_{{{i}}} = \frac{{@x_{{{i}}} - @\mu_c}}{{\sqrt{{@v_c + \epsilon}}}}"),
                rf"\hat{{x}}_{{{at(place)}}} = \frac{{{number(self.x[place])} - {factor(self.mean[c])}}}"
                rf"{{\sqrt{{{number(self.variance[c])} + {number(self.eps)}}}}} = {number(self.x_hat[place])}",
                (Figure(r"\hat{x}", self.x_hat, axes),),
            )
        )
        place = largest(self.y)
        c = place[1]
        worked = products([(float(self.scale[c]), float(self.x_hat[place]))], plus=[float(self.shift[c])])
        figures = [Figure(signs(r"@\gamma"), self.scale, CHANNEL), Figure(signs(r"@\beta"), self.shift, CHANNEL)]
        said.append(
            Statement(
                "A scale and a shift for each channel let the network undo it.",
                signs(rf"@y_{{{i}}} = @\gamma_c \, \hat{{x}}_{{{i}}} + @\beta_c"),
                signs(rf"@y_{{{at(place)}}} = {worked} = {number(self.y[place])}"),
                (*figures, Figure(signs("@y"), self.y, axes)),
            )
        )
        return said

    def say_backward(self, signs: Signs) -> list[Statement]:
        """Scale and shift; then the three ways by which an input reaches the outputs."""
        i = _letters(self.x.ndim)
        said = [*self._say_own(signs, i), self._say_x_hat(signs, i)]
        if not self.by_batch:
            place = largest(self.dx)
            return [
                *said,
                Statement(
                    "In evaluation mean and variance are constants, so that only the straight way remains.",
                    signs(rf"@dx_{{{i}}} = {_d('x', i)} \frac{{1}}{{\sqrt{{@v_c + \epsilon}}}}"),
                    signs(
                        rf"@dx_{{{at(place)}}} = \frac{{{number(self.d_x_hat[place])}}}{{{number(self.deviation[place[1]])}}}"
                    )
                    + f" = {number(self.dx[place])}",
                    (Figure(signs("@dx"), self.dx, axes_of(self.x.ndim)),),
                ),
            ]
        return [*said, *self._say_statistics_back(signs, i), self._say_input(signs, i), self._say_together(signs, i)]

    def _say_statistics(self, signs: Signs) -> list[Statement]:
        i, sum_ = _letters(self.x.ndim), _summed(self.x.ndim)
        (c,) = largest(self.mean)
        worked = rf"\frac{{1}}{{{self.m}}} ({sums(self.x[:, c].flatten().tolist())})"
        mean = Statement(
            f"The mean of each channel over batch and positions, m = {self.m} values.",
            signs(rf"@\mu_c = \frac{{1}}{{m}} {sum_} @x_{{{i}}}"),
            signs(rf"@\mu_{{{c}}} = {worked} = {number(self.mean[c])}"),
            (Figure(signs(r"@\mu"), self.mean, CHANNEL),),
        )
        (c,) = largest(self.variance)
        squares = (self.x[:, c] - self.mean[c]).square().flatten().tolist()
        variance = Statement(
            "Its variance, v, the squared standard deviation: divided by m and not by m - 1.",
            signs(rf"@v_c = \frac{{1}}{{m}} {sum_} (@x_{{{i}}} - @\mu_c)^2"),
            signs(rf"@v_{{{c}}} = \frac{{1}}{{{self.m}}} ({sums(squares)}) = {number(self.variance[c])}"),
            (Figure(signs(r"@v"), self.variance, CHANNEL),),
        )
        return [mean, variance]

    def _say_remembered(self, signs: Signs) -> Statement:
        return Statement(
            "In evaluation mean and variance are those that training remembered (the moving averages).",
            figures=(
                Figure(signs(r"@\mu"), self.mean, CHANNEL),
                Figure(signs(r"@v"), self.variance, CHANNEL),
            ),
        )

    def _say_own(self, signs: Signs, i: str) -> list[Statement]:
        if not self.affine:
            return []
        sum_ = _summed(self.x.ndim)
        (c,) = largest(self.d_scale)
        pairs = list(zip(self.dy[:, c].flatten().tolist(), self.x_hat[:, c].flatten().tolist(), strict=True))
        d = r"\frac{\partial L}{\partial @"
        scale = Statement(
            "The scale multiplies the standardised values.",
            signs(rf"{d}\gamma_c}} = {sum_} @dy_{{{i}}} \, \hat{{x}}_{{{i}}}"),
            signs(rf"{d}\gamma_{{{c}}}}} = {products(pairs)} = {number(self.d_scale[c])}"),
            (Figure(signs(rf"{d}\gamma}}"), self.d_scale, CHANNEL),),
        )
        (c,) = largest(self.d_shift)
        shift = Statement(
            "The shift is added to them.",
            signs(rf"{d}\beta_c}} = {sum_} @dy_{{{i}}}"),
            signs(rf"{d}\beta_{{{c}}}}} = {sums(self.dy[:, c].flatten().tolist())} = {number(self.d_shift[c])}"),
            (Figure(signs(rf"{d}\beta}}"), self.d_shift, CHANNEL),),
        )
        return [scale, shift]

    def _say_x_hat(self, signs: Signs, i: str) -> Statement:
        place = largest(self.d_x_hat)
        worked = products([(float(self.dy[place]), float(self.scale[place[1]]))])
        return Statement(
            "Back through the scale.",
            signs(rf"{_d('x', i)} = @dy_{{{i}}} \, @\gamma_c"),
            rf"{_d('x', at(place))} = {worked} = {number(self.d_x_hat[place])}",
            (Figure(_d("x", ""), self.d_x_hat, axes_of(self.x.ndim)),),
        )

    def _say_statistics_back(self, signs: Signs, i: str) -> list[Statement]:
        sum_ = _summed(self.x.ndim)
        (c,) = largest(self.d_variance)
        d = r"\frac{\partial L}{\partial @"
        inside = products(
            list(
                zip(
                    self.d_x_hat[:, c].flatten().tolist(),
                    (self.x[:, c] - self.mean[c]).flatten().tolist(),
                    strict=True,
                )
            )
        )
        half = r"-\frac{{1}}{{2}} (@v_c + \epsilon)^{-3/2}"
        variance = Statement(
            "The variance stands under every value of the channel.",
            signs(rf"{d}v_c}} = {half} {sum_} {_d('x', i)} (@x_{{{i}}} - @\mu_c)"),
            signs(
                rf"{d}v_{{{c}}}}} = -\frac{{1}}{{2}} ({number(self.deviation[c] ** 2)})^{{-3/2}} ({inside}) "
                rf"= {number(self.d_variance[c])}"
            ),
            (Figure(signs(rf"{d}v}}"), self.d_variance, CHANNEL),),
        )
        (c,) = largest(self.d_mean)
        inside = sums(self.d_x_hat[:, c].flatten().tolist())
        mean = Statement(
            "So does the mean. Its way through the variance is zero, because the centred values add up to zero.",
            signs(
                rf"{d}\mu_c}} = -\frac{{1}}{{\sqrt{{@v_c + \epsilon}}}} {sum_} {_d('x', i)} "
                rf"- {d}v_c}} \, \frac{{2}}{{m}} {sum_} (@x_{{{i}}} - @\mu_c)"
            ),
            signs(
                rf"{d}\mu_{{{c}}}}} = -\frac{{1}}{{{number(self.deviation[c])}}} ({inside}) - 0 = {number(self.d_mean[c])}"
            ),
            (Figure(signs(rf"{d}\mu}}"), self.d_mean, CHANNEL),),
        )
        return [variance, mean]

    def _say_input(self, signs: Signs, i: str) -> Statement:
        place, axes = largest(self.dx), axes_of(self.x.ndim)
        ways = (self.straight, self.by_variance, self.by_mean)
        worked = " + ".join(factor(way[place]) for way in ways)
        d = r"\frac{\partial L}{\partial @"
        return Statement(
            "An input reaches the outputs three ways: straight, by way of the variance, and by way of the mean.",
            signs(
                rf"@dx_{{{i}}} = {_d('x', i)} \frac{{1}}{{\sqrt{{@v_c + \epsilon}}}} "
                rf"+ {d}v_c}} \frac{{2 (@x_{{{i}}} - @\mu_c)}}{{m}} + {d}\mu_c}} \frac{{1}}{{m}}"
            ),
            signs(rf"@dx_{{{at(place)}}} = {worked} = {number(self.dx[place])}"),
            tuple(
                Figure(rf"\text{{{name}}}", way, axes)
                for name, way in zip(("straight", "by the variance", "by the mean"), ways, strict=True)
            ),
        )

    def _say_together(self, signs: Signs, i: str) -> Statement:
        place = largest(self.dx)
        c = place[1]
        worked = rf"{number(self.m)} \cdot {factor(self.dy[place])} - {factor(self.d_shift[c])}"
        worked += rf" - {factor(self.x_hat[place])} \cdot {factor(self.d_scale[c])}"
        return Statement(
            f"Put together. It adds up to zero over a channel. (The two derivations differ by at most {self.gap:.1e}.)",
            signs(
                rf"@dx_{{{i}}} = \frac{{@\gamma_c}}{{m \sqrt{{@v_c + \epsilon}}}} \left( m \, @dy_{{{i}}} "
                rf"- \frac{{\partial L}}{{\partial @\beta_c}} - \hat{{x}}_{{{i}}} \frac{{\partial L}}{{\partial @\gamma_c}} \right)"
            ),
            signs(
                rf"@dx_{{{at(place)}}} = \frac{{{number(self.scale[c])}}}{{{self.m} \cdot {number(self.deviation[c])}}} "
                rf"({worked}) = {number(self.dx[place])}"
            ),
            (Figure(signs("@dx"), self.dx, axes_of(self.x.ndim)),),
        )

    def _wide(self, values: Values) -> Values:
        return values.view(1, -1, *[1] * (self.x.ndim - 2))


def _letters(ndim: int) -> str:
    return ("n,c", "n,c,t", "n,c,h,w")[ndim - 2]


def _summed(ndim: int) -> str:
    return rf"\sum_{{{('n', 'n,t', 'n,h,w')[ndim - 2]}}}"


def _d(letter: str, subscript: str) -> str:
    """The loss' gradient at the standardised values."""
    below = f"_{{{subscript}}}" if subscript else ""
    return rf"\frac{{\partial L}}{{\partial \hat{{{letter}}}{below}}}"
