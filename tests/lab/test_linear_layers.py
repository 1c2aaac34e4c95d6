"""Without activations: one matrix, no exclusive or, and fewer parameters. With one hidden layer and one: any function."""

from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from osler.lab.linear_layers import as_one_layer, factorise, low_rank_layer, xor_accuracy
from osler.lab.universal_approximation import bump, fits_by_width, sine


@pytest.mark.craft("FB10", "AC12")
@settings(max_examples=25, deadline=None)
@given(sizes=st.lists(st.integers(1, 6), min_size=2, max_size=5), bias=st.booleans(), seed=st.integers(0, 999))
def test_a_stack_without_activations_is_one_matrix(sizes: list[int], bias: bool, seed: int) -> None:
    torch.manual_seed(seed)
    layers = [nn.Linear(a, b, bias=bias) for a, b in pairwise(sizes)]
    stack = nn.Sequential(*(part for layer in layers for part in (layer, nn.Identity())))
    x = torch.randn(5, sizes[0])
    assert float((stack(x) - as_one_layer(stack)(x)).detach().abs().max()) < 1e-6 * max(1.0, float(x.abs().max()))


@pytest.mark.craft("FB10", "AC12")
def test_exclusive_or_is_out_of_its_reach_and_in_that_of_a_bent_one() -> None:
    for seed in (0, 1):
        assert xor_accuracy(nn.Identity, epochs=400, seed=seed) <= 0.75
        assert xor_accuracy(nn.Tanh, seed=seed) == 1.0
    with pytest.raises(ValueError, match="Only linear layers"):
        as_one_layer(nn.Sequential(nn.Linear(2, 2), nn.ReLU()))


@pytest.mark.craft("FB11")
@settings(max_examples=20, deadline=None)
@given(inputs=st.integers(2, 24), outputs=st.integers(2, 24), data=st.data())
def test_a_matrix_of_rank_k_is_two_narrow_ones(inputs: int, outputs: int, data: st.DataObject) -> None:
    rank = data.draw(st.integers(1, min(inputs, outputs)))
    layer = low_rank_layer(inputs, outputs, rank)
    found = factorise(layer, rank)
    assert found.parameters == inputs * rank + rank * outputs
    assert found.before == inputs * outputs
    assert found.error < 1e-5
    x = torch.randn(4, inputs)
    torch.testing.assert_close(found.layer(x), layer(x), rtol=1e-4, atol=1e-4)
    if rank > 1:
        assert factorise(layer, rank - 1).error > 1e-4, "one less does not hold it"


@pytest.mark.craft("FB11")
def test_what_is_saved() -> None:
    found = factorise(low_rank_layer(1024, 1000, 64), 64)
    assert (found.before, found.parameters) == (1_024_000, 129_536)
    assert found.layer[0].bias is None, "purely linear: nothing stands between the two"


@pytest.mark.craft("FB09")
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_error_of_one_hidden_layer_falls_with_its_width(seed: int) -> None:
    for function, inputs in ((sine, 1), (bump, 2)):
        for activation in (torch.tanh, torch.relu):
            errors = [found.error for found in fits_by_width(function, inputs, activation=activation, seed=seed)]
            assert all(after < before for before, after in pairwise(errors)), errors
            assert errors[-1] < 0.1 * errors[0]


@pytest.mark.craft("FB09")
def test_without_a_bend_width_does_not_help() -> None:
    errors = [found.error for found in fits_by_width(sine, 1, activation=lambda z: z)]
    assert errors[-1] == pytest.approx(errors[0], rel=1e-6)
    assert errors[-1] > 0.5
