"""Local response normalisation: the paper's sum, map by map."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from osler.nn.local_response_norm import LocalResponseNorm
from osler.structures.errors import RecipeError


def by_hand(x: torch.Tensor, n: int, alpha: float, beta: float, k: float) -> torch.Tensor:
    """Krizhevsky et al. 2012, section 3.3: j from max(0, i - n/2) to min(N - 1, i + n/2)."""
    out = torch.empty_like(x)
    maps = x.shape[1]
    for i in range(maps):
        total = torch.zeros_like(x[:, 0])
        for j in range(max(0, i - n // 2), min(maps - 1, i + n // 2) + 1):
            total += x[:, j] ** 2
        out[:, i] = x[:, i] / (k + alpha * total) ** beta
    return out


@given(
    n=st.sampled_from([1, 3, 5, 7]),
    maps=st.integers(1, 9),
    alpha=st.floats(1e-4, 2.0),
    beta=st.floats(0.25, 1.0),
    k=st.floats(0.5, 3.0),
)
def test_equals_the_papers_sum(n: int, maps: int, alpha: float, beta: float, k: float) -> None:
    x = 3 * torch.randn(2, maps, 3, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(maps))
    torch.testing.assert_close(LocalResponseNorm(n, alpha, beta, k)(x), by_hand(x, n, alpha, beta, k))


def test_the_defaults_are_the_papers() -> None:
    x = 30 * torch.randn(2, 8, 4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(LocalResponseNorm()(x), by_hand(x, n=5, alpha=1e-4, beta=0.75, k=2.0))


def test_pytorchs_alpha_is_n_times_ours() -> None:
    x = 30 * torch.randn(2, 8, 4, 4, generator=torch.Generator().manual_seed(0))
    ours = LocalResponseNorm()(x)
    torch.testing.assert_close(ours, nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2.0)(x))
    same_number = nn.LocalResponseNorm(5, alpha=1e-4, beta=0.75, k=2.0)(x)
    assert float((ours - same_number).abs().max()) > 0.1


def test_a_loud_neighbour_damps_and_a_distant_one_does_not() -> None:
    """The competition between maps that the paper compares with lateral inhibition."""
    x = torch.zeros(1, 9, 1, 1)
    x[0, 4] = 1.0
    alone = LocalResponseNorm()(x)[0, 4]
    near, far = x.clone(), x.clone()
    near[0, 6], far[0, 7] = 500.0, 500.0
    assert LocalResponseNorm()(near)[0, 4] < alone / 3
    assert torch.equal(LocalResponseNorm()(far)[0, 4], alone)


@pytest.mark.parametrize("n", [0, 2, 4, -1])
def test_an_even_number_of_maps_is_refused(n: int) -> None:
    with pytest.raises(RecipeError, match=rf"odd number of maps.*n={n}"):
        LocalResponseNorm(n)
