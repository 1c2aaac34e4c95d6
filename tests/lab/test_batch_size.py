"""What the batch size changes."""

from itertools import pairwise

import pytest
import torch
from torch import nn

from osler.lab.batch_size import batch_size_table, efficiency_table, kept_bytes
from osler.lab.sharpness import hessian_product, sharpness, sharpness_by_batch_size, top_eigenvalue
from osler.lab.small_training import mlp


@pytest.mark.craft("OP15")
def test_larger_batches_make_fewer_quieter_steps_and_learn_less_in_as_many_epochs() -> None:
    rows = batch_size_table((4, 32, 898), epochs=3, steps=100)
    assert [r.steps for r in rows] == [3 * 225, 3 * 29, 3]
    for small, large in pairwise(rows):
        assert large.noise < 0.7 * small.noise
        assert large.accuracy < small.accuracy
    assert rows[2].accuracy_equal_steps > rows[2].accuracy + 0.3
    assert all(r.seconds_per_epoch > 0 for r in rows)


@pytest.mark.craft("OP18")
def test_larger_batches_use_memory_in_proportion_and_each_weight_for_more_work() -> None:
    rows = efficiency_table((1, 16, 256), repeats=2)
    units = 64 + 256 + 10  # inputs, hidden, log-probabilities of a sample; a label of 8 bytes
    assert [r.activation_bytes for r in rows] == [pytest.approx(n * (4 * units + 8), abs=16) for n in (1, 16, 256)]
    assert rows[2].operations_per_weight_byte == pytest.approx(256 * rows[0].operations_per_weight_byte)
    assert all(r.samples_per_second > 0 for r in rows)


@pytest.mark.slow
@pytest.mark.craft("OP18")
def test_a_large_batch_passes_many_times_the_samples_per_second() -> None:
    one, many = efficiency_table((1, 256), repeats=20)
    assert many.samples_per_second > 5 * one.samples_per_second


def test_kept_bytes_counts_a_shared_tensor_once() -> None:
    network = nn.Sequential(nn.Linear(64, 10, bias=False))
    inputs, labels = torch.randn(4, 64), torch.arange(4)
    assert kept_bytes(network, inputs, labels) == pytest.approx(4 * (4 * 64 + 4 * 10 + 8), abs=16)


def test_the_eigenvalue_is_that_of_the_whole_hessian() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
    inputs, labels = torch.randn(20, 3), torch.arange(20) % 2

    def loss() -> torch.Tensor:
        return nn.functional.cross_entropy(network(inputs), labels)

    product = hessian_product(loss(), network)
    size = sum(p.numel() for p in network.parameters())
    whole = torch.stack([product(row) for row in torch.eye(size)])
    torch.testing.assert_close(whole, whole.T, rtol=1e-4, atol=1e-6)
    expected = torch.linalg.eigvalsh(whole)[-1].item()
    assert top_eigenvalue(product, size) == pytest.approx(expected, rel=1e-3)
    negative = torch.diag(torch.tensor([-9.0, 2.0, 1.0]))  # the largest is not the largest in size
    assert top_eigenvalue(lambda v: negative @ v, 3) == pytest.approx(2.0, rel=1e-4)


@pytest.mark.craft("OP16")
def test_small_batches_end_in_flatter_minima() -> None:
    found = sharpness_by_batch_size((8, 898), updates=600, lr=0.3)
    assert 1.3 * found[8] < found[898]
    assert found[898] < sharpness(mlp()) * 10  # numbers of the same kind


@pytest.mark.slow
@pytest.mark.craft("OP16")
def test_small_batches_end_in_flatter_minima_on_three_seeds() -> None:
    for seed in range(3):
        found = sharpness_by_batch_size((8, 898), updates=3000, lr=0.1, seed=seed)
        assert found[8] < found[898]
