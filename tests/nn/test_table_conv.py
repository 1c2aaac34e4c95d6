"""Convolution with a connection table, and sub-sampling with trained coefficients."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from osler.nn.table_conv import TableConv2d
from osler.nn.trained_pooling import TrainedPool2d

tables = st.lists(st.sets(st.integers(0, 3), min_size=1).map(sorted), min_size=1, max_size=5)


@settings(max_examples=15, deadline=None)
@given(table=tables, kernel=st.integers(1, 3))
def test_each_map_is_the_sum_over_the_maps_that_it_sees(table: list[list[int]], kernel: int) -> None:
    layer = TableConv2d(4, table, kernel)
    torch.nn.init.normal_(layer.bias)
    x = torch.randn(2, 4, 5, 5)
    out, pair = layer(x), 0
    for row, columns in enumerate(table):
        expected = layer.bias[row].view(1, 1, 1)
        for column in columns:
            single = torch.nn.functional.conv2d(x[:, column : column + 1], layer.weight[pair][None, None])
            expected, pair = expected + single[:, 0], pair + 1
        torch.testing.assert_close(out[:, row], expected, atol=1e-4, rtol=1e-4)
    assert pair == len(layer.weight), "one kernel for each connection"


def test_unconnected_maps_have_no_influence_and_every_weight_a_gradient() -> None:
    layer = TableConv2d(3, [[0], [1, 2]], 3)
    x = torch.randn(1, 3, 6, 6)
    changed = x.clone()
    changed[:, 0] += 1
    assert torch.equal(layer(x)[:, 1], layer(changed)[:, 1])
    assert not torch.equal(layer(x)[:, 0], layer(changed)[:, 0])
    layer(x).square().sum().backward()
    assert layer.weight.grad.flatten(1).any(1).all()


def test_trained_pooling_starts_as_the_mean_and_scales_each_map() -> None:
    pool, x = TrainedPool2d(2), torch.randn(3, 2, 5, 6)
    torch.testing.assert_close(pool(x), torch.nn.functional.avg_pool2d(x, 2))
    with torch.no_grad():
        pool.weight.copy_(torch.tensor([1.0, -2.0]))
        pool.bias.copy_(torch.tensor([0.5, 0.0]))
    total = x[:, :, :4].unfold(2, 2, 2).unfold(3, 2, 2).sum((-1, -2))
    torch.testing.assert_close(pool(x)[:, 0], total[:, 0] + 0.5)
    torch.testing.assert_close(pool(x)[:, 1], total[:, 1] * -2)
