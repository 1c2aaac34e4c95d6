"""Large kernels: what they see and cost, and how they do for the same money."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from osler.lab.large_kernels import BUDGET, equal_budget, network, receptive_field, same_field_stack, widest


def footprint(layers: nn.Module, side: int) -> int:
    """Side of the square of pixels that have a part in the middle position."""
    x = torch.rand(1, 1, side, side, requires_grad=True)
    layers(x)[0, 0, side // 2, side // 2].backward()
    rows = x.grad[0, 0].abs().sum(1).nonzero()
    return int(rows.max() - rows.min()) + 1


@pytest.mark.craft("LA10")
@settings(max_examples=6, deadline=None)
@given(kernel=st.sampled_from([3, 5, 7, 11]), depthwise=st.booleans())
def test_the_receptive_field_is_as_gradients_see_it(kernel: int, depthwise: bool) -> None:
    model = network(kernel, 4, depthwise=depthwise)
    for name, module in model.named_modules():
        if isinstance(module, nn.ReLU):
            model.set_submodule(name, nn.Identity())  # a dead unit would hide what it sees
    body = model[: next(i for i, m in enumerate(model) if isinstance(m, nn.AdaptiveMaxPool2d))]
    assert footprint(body.eval(), 2 * receptive_field(kernel)) == receptive_field(kernel) == 2 * kernel - 1


@pytest.mark.craft("LA10")
@pytest.mark.parametrize(("kernel", "layers", "cost"), [(5, 2, 18 / 25), (7, 3, 27 / 49), (31, 15, 135 / 961)])
def test_a_stack_of_3x3_sees_as_far_for_less(kernel: int, layers: int, cost: float) -> None:
    stack = same_field_stack(kernel)
    assert stack.layers == layers
    assert stack.cost == pytest.approx(cost)
    assert receptive_field(3, layers) == receptive_field(kernel, 1) == kernel


@pytest.mark.craft("LA10")
@pytest.mark.parametrize("kernel", [5, 7, 11])
def test_depthwise_the_same_money_buys_more_channels(kernel: int) -> None:
    assert widest(kernel, depthwise=True) > 2 * widest(kernel)


def test_a_budget_that_pays_for_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="31x31"):
        widest(31, budget=1000)


@pytest.mark.slow
@pytest.mark.craft("LA10")
def test_a_kernel_as_large_as_the_picture_starves_the_network() -> None:
    five, eleven, whole, alone = equal_budget((5, 11, 31), (11,), epochs=7)
    assert all(0.85 * BUDGET < row.multiply_adds <= BUDGET for row in (five, eleven, whole, alone))
    assert [row.receptive_field for row in (five, eleven, whole, alone)] == [9, 21, 61, 21]
    assert (five.width, eleven.width, whole.width, alone.width) == (14, 6, 2, 18)
    assert min(five.accuracy, eleven.accuracy, alone.accuracy) > 0.75
    assert whole.accuracy < five.accuracy - 0.3


@pytest.mark.slow
@pytest.mark.craft("LA10")
def test_the_whole_table_at_equal_budget() -> None:
    rows = {(row.kernel, row.depthwise): row for row in equal_budget()}
    assert [kernel for kernel, _ in rows] == [3, 5, 7, 11, 31, 7, 11, 31]
    small = [rows[k, False].accuracy for k in (3, 5, 7, 11)]
    assert min(small) > 0.85
    assert rows[31, False].accuracy < min(small) - 0.3
    assert rows[11, True].accuracy > rows[11, False].accuracy - 0.02
    assert rows[31, True].accuracy > rows[31, False].accuracy + 0.1, "with fewer multiply-adds, too"
    assert rows[31, True].multiply_adds < rows[31, False].multiply_adds
