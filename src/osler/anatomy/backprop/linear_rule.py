"""The fully connected layer: y = x W^T + b."""

from torch import nn

from osler.anatomy.backprop.numbers import at, largest, number, products, sums
from osler.anatomy.backprop.rule import Rule, Values, rule_for
from osler.anatomy.backprop.statement import Figure, Signs, Statement

WEIGHT = ("output", "input")


@rule_for(nn.Linear)
class LinearRule(Rule):
    """Rows of samples; of tensors with more axes, all but the last count as rows."""

    def __init__(self, module: nn.Linear) -> None:
        self.weight = module.weight.detach()
        self.bias = None if module.bias is None else module.bias.detach()

    def forward(self, *inputs: Values) -> Values:
        """x W^T + b."""
        self.shape = inputs[0].shape
        self.x = inputs[0].reshape(-1, self.shape[-1])
        self.y = self.x @ self.weight.T
        if self.bias is not None:
            self.y = self.y + self.bias
        return self.y.reshape(*self.shape[:-1], -1)

    def backward(self, gradient: Values) -> tuple[Values, ...]:
        """dx = dy W, dW = dy^T x, db = the sum of dy over the samples."""
        self.dy = gradient.reshape(-1, gradient.shape[-1])
        self.dx, self.d_weight, self.d_bias = self.dy @ self.weight, self.dy.T @ self.x, self.dy.sum(0)
        return (self.dx.reshape(self.shape),)

    def parameter_gradients(self) -> dict[str, Values]:
        """Of weight and bias."""
        return {"weight": self.d_weight} | ({} if self.bias is None else {"bias": self.d_bias})

    def say_forward(self, signs: Signs) -> list[Statement]:
        """Neurons: weighted sums of the inputs."""
        n, o = largest(self.y)
        bias = [] if self.bias is None else [float(self.bias[o])]
        sum_ = products(_pairs(self.x[n], self.weight[o]), plus=bias)
        figures = [Figure(signs("@W"), self.weight, WEIGHT)]
        if self.bias is not None:
            figures.append(Figure(signs("@b"), self.bias, ("output",)))
        plus = " + @b_{o}" if bias else ""
        return [
            Statement(
                "Each output is a weighted sum of all inputs" + (", and a bias." if bias else "."),
                signs(rf"@y_{{n,o}} = \sum_{{i}} @W_{{o,i}} \, @x_{{n,i}}{plus}"),
                signs(rf"@y_{{{at((n, o))}}} = {sum_} = {number(self.y[n, o])}"),
                (*figures, Figure(signs("@y"), self.y, ("sample", "output"))),
            )
        ]

    def say_backward(self, signs: Signs) -> list[Statement]:
        """Weights, bias, input."""
        o, i = largest(self.d_weight)
        worked = products(_pairs(self.dy[:, o], self.x[:, i]))
        said = [
            Statement(
                "A weight moves its output by its input: the gradient in it is error times input, added up over the samples.",
                signs(r"\frac{\partial L}{\partial @W_{o,i}} = \sum_{n} @dy_{n,o} \, @x_{n,i}"),
                signs(
                    rf"\frac{{\partial L}}{{\partial @W_{{{at((o, i))}}}}} = {worked} = {number(self.d_weight[o, i])}"
                ),
                (Figure(signs(r"\frac{\partial L}{\partial @W}"), self.d_weight, WEIGHT),),
            )
        ]
        if self.bias is not None:
            (o,) = largest(self.d_bias)
            said.append(
                Statement(
                    "A bias moves its output one for one.",
                    signs(r"\frac{\partial L}{\partial @b_{o}} = \sum_{n} @dy_{n,o}"),
                    signs(
                        rf"\frac{{\partial L}}{{\partial @b_{{{o}}}}} = {sums(self.dy[:, o].tolist())} = {number(self.d_bias[o])}"
                    ),
                    (Figure(signs(r"\frac{\partial L}{\partial @b}"), self.d_bias, ("output",)),),
                )
            )
        n, i = largest(self.dx)
        worked = products(_pairs(self.dy[n], self.weight[:, i]))
        said.append(
            Statement(
                "An input reaches the loss by way of every output: the errors come back along the same weights.",
                signs(r"@dx_{n,i} = \sum_{o} @dy_{n,o} \, @W_{o,i}"),
                signs(rf"@dx_{{{at((n, i))}}} = {worked} = {number(self.dx[n, i])}"),
                (Figure(signs("@dx"), self.dx, ("sample", "input")),),
            )
        )
        return said


def _pairs(a: Values, b: Values) -> list[tuple[float, float]]:
    return list(zip(a.tolist(), b.tolist(), strict=True))
