"""Each worked rule against autograd, over drawn shapes and settings; and its formulas can be written."""

from typing import Any

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from osler.anatomy.backprop.choosing_rules import module_rule
from osler.anatomy.backprop.loss_rules import loss_rule
from osler.anatomy.backprop.mathml import mathml
from osler.anatomy.backprop.merge_rules import ConcatenationRule, ProductRule, SumRule
from osler.anatomy.backprop.part_rules import PartRule, ZeroPaddingRule
from osler.anatomy.backprop.plain_formula import plain_formula
from osler.anatomy.backprop.rule import Rule
from osler.anatomy.backprop.shape_rules import MeanRule
from osler.anatomy.backprop.statement import Signs, Statement

drawn = settings(max_examples=25, deadline=None)
few = st.integers(1, 4)
seeds = st.integers(0, 10_000)
CLOSE = 1e-7  # PyTorch's hard sigmoid goes back with one sixth in single precision


def maps(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def check(rule: Rule, plain: Any, *inputs: Tensor, named: dict[str, Tensor] | None = None) -> None:
    """Output, gradient at each input and in each parameter as by autograd; then every statement is written."""
    given_to = [x.clone().requires_grad_() for x in inputs]
    wanted = plain(*given_to)
    found = rule.forward(*inputs)
    assert found.shape == wanted.shape
    assert torch.allclose(found, wanted.detach(), rtol=0, atol=CLOSE)
    cotangent = maps(7, *wanted.shape)
    theirs = torch.autograd.grad(wanted, [*given_to, *(named or {}).values()], cotangent)
    mine = [*rule.backward(cotangent), *(rule.parameter_gradients()[name] for name in named or {})]
    assert set(rule.parameter_gradients()) == set(named or {})
    for a, b in zip(mine, theirs, strict=True):
        assert a.shape == b.shape
        assert torch.allclose(a, b, rtol=0, atol=CLOSE * max(1.0, float(b.abs().max())))
    signs = Signs(1, ("x^{(0)}", "u^{(0)}", "v^{(0)}"), "x^{(1)}", (r"\delta^{(0)}",) * 3, r"\delta^{(1)}")
    for said in (*rule.say_forward(signs), *rule.say_backward(signs)):
        written(said)


def written(said: Statement) -> None:
    for formula in (said.formula, said.example, *(f.symbol for f in said.figures)):
        assert "@" not in formula
        assert plain_formula(formula) or not formula
        assert mathml(formula)


def module_check(module: nn.Module, x: Tensor) -> None:
    check(module_rule("layer", module), module, x, named=dict(module.named_parameters()))


@drawn
@given(batch=few, inputs=few, outputs=few, bias=st.booleans(), rows=st.integers(0, 3), seed=seeds)
def test_fully_connected(batch: int, inputs: int, outputs: int, bias: bool, rows: int, seed: int) -> None:
    torch.manual_seed(seed)
    shape = (batch, rows, inputs) if rows else (batch, inputs)
    module_check(nn.Linear(inputs, outputs, bias=bias).double(), maps(seed, *shape))


@settings(max_examples=60, deadline=None)
@given(
    batch=st.integers(1, 2), groups=st.integers(1, 2), ins=st.integers(1, 2), outs=st.integers(1, 2), size=st.integers(3, 8),
    kernel=st.tuples(st.integers(1, 3), st.integers(1, 3)), stride=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    padding=st.tuples(st.integers(0, 2), st.integers(0, 2)), dilation=st.integers(1, 2), bias=st.booleans(), seed=seeds,
)  # fmt: skip
def test_convolution(
    batch: int, groups: int, ins: int, outs: int, size: int, kernel: tuple[int, int], stride: tuple[int, int],
    padding: tuple[int, int], dilation: int, bias: bool, seed: int,
) -> None:  # fmt: skip
    assume(all(size + 1 + 2 * p >= dilation * (k - 1) + 2 for k, p in zip(kernel, padding, strict=True)))
    torch.manual_seed(seed)
    layer = nn.Conv2d(ins * groups, outs * groups, kernel, stride, padding, dilation, groups, bias).double()
    module_check(layer, maps(seed, batch, ins * groups, size, size + 1))


@drawn
@given(kernel=st.sampled_from([1, 3, 5]), dilation=st.integers(1, 2), seed=seeds)
def test_convolution_with_padding_by_name(kernel: int, dilation: int, seed: int) -> None:
    layer = nn.Conv2d(2, 2, kernel, padding="same", dilation=dilation).double()
    module_check(layer, maps(seed, 1, 2, 6, 7))


windows = st.fixed_dictionaries({
    "kernel_size": st.integers(1, 3), "stride": st.integers(1, 3), "padding": st.integers(0, 1), "ceil_mode": st.booleans(),
})  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(window=windows, dilation=st.integers(1, 2), size=st.integers(5, 8), seed=seeds)
def test_max_pooling(window: dict[str, Any], dilation: int, size: int, seed: int) -> None:
    assume(window["padding"] <= window["kernel_size"] // 2)
    module_check(nn.MaxPool2d(**window, dilation=dilation), maps(seed, 2, 2, size, size + 1))


def test_of_equal_values_the_first_wins() -> None:
    x = torch.ones(1, 1, 2, 2, dtype=torch.float64)
    module_check(nn.MaxPool2d(2), x)
    rule = module_rule("pool", nn.MaxPool2d(2))
    rule.forward(x)
    assert rule.backward(torch.full((1, 1, 1, 1), 5.0, dtype=torch.float64))[0].flatten().tolist() == [5, 0, 0, 0]


@settings(max_examples=40, deadline=None)
@given(window=windows, counted=st.booleans(), size=st.integers(5, 8), seed=seeds)
def test_average_pooling(window: dict[str, Any], counted: bool, size: int, seed: int) -> None:
    assume(window["padding"] <= window["kernel_size"] // 2)
    module_check(nn.AvgPool2d(**window, count_include_pad=counted), maps(seed, 2, 2, size, size + 1))


@drawn
@given(size=st.tuples(few, st.one_of(few, st.none())), height=st.integers(1, 7), width=st.integers(1, 7), seed=seeds)
def test_adaptive_average_pooling(size: tuple[int, int | None], height: int, width: int, seed: int) -> None:
    module_check(nn.AdaptiveAvgPool2d(size), maps(seed, 2, 2, height, width))


@drawn
@given(
    batch=st.integers(2, 3), channels=few, size=st.integers(1, 3), affine=st.booleans(), flat=st.booleans(), seed=seeds
)
@pytest.mark.parametrize("mode", ["training", "evaluation", "no memory"])
def test_batch_norm(mode: str, batch: int, channels: int, size: int, affine: bool, flat: bool, seed: int) -> None:
    remembers = mode != "no memory"
    layer: Any = (nn.BatchNorm1d if flat else nn.BatchNorm2d)(
        channels, affine=affine, track_running_stats=remembers
    ).double()
    if affine:
        nn.init.normal_(layer.weight, generator=torch.Generator().manual_seed(seed))
        nn.init.normal_(layer.bias, generator=torch.Generator().manual_seed(seed))
    if remembers:
        layer.running_mean.copy_(maps(seed, channels))
        layer.running_var.copy_(maps(seed + 1, channels).abs() + 0.3)
    layer.train(mode == "training")
    shape = (batch, channels) if flat else (batch, channels, size, size + 1)
    check(module_rule("norm", layer), layer, maps(seed, *shape), named=dict(layer.named_parameters()))


def test_batch_norms_three_ways_add_up_and_leave_nothing_over_the_batch() -> None:
    layer, x = nn.BatchNorm2d(2).double(), maps(0, 3, 2, 4, 4)
    rule: Any = module_rule("norm", layer)
    rule.forward(x)
    (dx,) = rule.backward(maps(1, 3, 2, 4, 4))
    assert torch.allclose(rule.straight + rule.by_variance + rule.by_mean, dx, atol=1e-12)
    assert float(rule.by_variance.abs().max()) > 1e-3, "a term that is zero would show nothing"
    assert float(rule.by_mean.abs().max()) > 1e-3
    assert torch.allclose(dx.sum((0, 2, 3)), torch.zeros(2, dtype=torch.float64), atol=1e-12)
    assert torch.allclose((dx * rule.x_hat).sum((0, 2, 3)), torch.zeros(2, dtype=torch.float64), atol=1e-3)  # eps only


ACTIVATIONS: list[nn.Module] = [
    nn.ReLU(), nn.LeakyReLU(0.2), nn.PReLU(), nn.PReLU(3), nn.ELU(0.7), nn.SELU(), nn.ReLU6(), nn.SiLU(), nn.Hardswish(),
    nn.Hardsigmoid(), nn.GELU(), nn.Sigmoid(), nn.Tanh(), nn.Softmax(1), nn.LogSoftmax(1),
]  # fmt: skip


@pytest.mark.parametrize("module", ACTIVATIONS, ids=str)
@settings(max_examples=10, deadline=None)
@given(batch=few, size=few, scale=st.sampled_from([0.1, 1.0, 5.0]), seed=seeds)
def test_activations(module: nn.Module, batch: int, size: int, scale: float, seed: int) -> None:
    module_check(module.double(), scale * maps(seed, batch, 3, size, size))


@drawn
@given(p=st.sampled_from([0.1, 0.5, 0.9, 1.0]), whole_maps=st.booleans(), seed=seeds)
def test_dropout_drops_what_the_layer_drops(p: float, whole_maps: bool, seed: int) -> None:
    layer = nn.Dropout2d(p) if whole_maps else nn.Dropout(p)
    x, cotangent = maps(seed, 2, 3, 4, 4), maps(seed + 1, 2, 3, 4, 4)
    rule = module_rule("drop", layer)
    torch.manual_seed(seed)
    mine = rule.forward(x)
    torch.manual_seed(seed)
    given_to = x.clone().requires_grad_()
    theirs = layer(given_to)
    assert torch.allclose(mine, theirs.detach(), atol=1e-12)
    assert torch.allclose(rule.backward(cotangent)[0], torch.autograd.grad(theirs, given_to, cotangent)[0], atol=1e-12)
    assert module_rule("drop", nn.Dropout(p).eval()).passes_on


@drawn
@given(sign=st.sampled_from([1, -1]), repeated=st.booleans(), seed=seeds)
def test_sums_and_products_of_branches(sign: int, repeated: bool, seed: int) -> None:
    a, b = maps(seed, 2, 3, 2, 2), maps(seed + 1, *((3, 1, 1) if repeated else (2, 3, 2, 2)))
    check(SumRule(sign), lambda x, y: x + sign * y, a, b)
    check(ProductRule(), torch.mul, a, b)
    check(ProductRule(-1.5), lambda x: -1.5 * x, a)


@drawn
@given(sizes=st.lists(few, min_size=2, max_size=3), axis=st.integers(0, 3), seed=seeds)
def test_concatenation(sizes: list[int], axis: int, seed: int) -> None:
    parts = [maps(seed + i, *(n if a == axis else 2 for a in range(4))) for i, n in enumerate(sizes)]
    check(ConcatenationRule(axis), lambda *xs: torch.cat(xs, axis), *parts)


@drawn
@given(axes=st.sampled_from([(2, 3), (-1,), (1, 2, 3), (1,)]), keep=st.booleans(), seed=seeds)
def test_mean_over_axes(axes: tuple[int, ...], keep: bool, seed: int) -> None:
    check(MeanRule(axes, keep), lambda x: x.mean(axes, keepdim=keep), maps(seed, 2, 3, 4, 2))


INDICES = [0, slice(1, None), (slice(None), 1), (..., slice(None, None, 2), slice(1, 3)), (slice(None), None, 2)]


@pytest.mark.parametrize("index", INDICES, ids=str)
def test_parts(index: Any) -> None:
    check(PartRule(index), lambda x: x[index], maps(0, 2, 3, 4, 5))


@drawn
@given(sides=st.lists(st.integers(0, 2), min_size=2, max_size=4).filter(lambda s: len(s) % 2 == 0), seed=seeds)
def test_zero_padding(sides: list[int], seed: int) -> None:
    check(ZeroPaddingRule(sides), lambda x: nn.functional.pad(x, sides), maps(seed, 2, 3, 2, 2))


@drawn
@given(batch=few, classes=st.integers(2, 5), scale=st.sampled_from([1.0, 30.0]), seed=seeds)
@pytest.mark.parametrize("name", ["cross_entropy", "mse", "binary_cross_entropy"])
def test_losses(name: Any, batch: int, classes: int, scale: float, seed: int) -> None:
    z = scale * maps(seed, batch, classes)
    target = torch.randint(classes, (batch,), generator=torch.Generator().manual_seed(seed))
    rule = loss_rule(name, target if name == "cross_entropy" else torch.nn.functional.one_hot(target, classes))
    leaf = z.clone().requires_grad_()
    theirs = rule.torch_loss(leaf)
    assert rule.forward(z) == pytest.approx(float(theirs.detach()), abs=1e-9)
    assert torch.allclose(rule.backward(), torch.autograd.grad(theirs, leaf)[0], atol=1e-12)
    for said in (*rule.say_forward("z"), *rule.say_backward("z", "d")):
        written(said)
