import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from osler.nn.dropout import GaussianDropout, OriginalDropout, UniformDropout

MANY = 400_000


@pytest.mark.craft("RE21")
@given(p=st.floats(0.05, 0.8))
@settings(max_examples=15, deadline=None)
def test_gaussian_dropout_multiplies_by_noise_of_mean_one_and_variance_p_over_1_minus_p(p):
    torch.manual_seed(0)
    factor = GaussianDropout(p)(torch.full((MANY,), 3.0)) / 3
    variance = p / (1 - p)
    assert factor.mean().item() == pytest.approx(1, abs=5 * (variance / MANY) ** 0.5)
    assert factor.var().item() == pytest.approx(variance, rel=0.02)
    third = ((factor - 1) / variance**0.5).pow(3).mean().item()
    assert abs(third) < 0.05  # symmetric, which the two-valued noise of dropout is not
    assert len(factor.unique()) > 1000


@pytest.mark.craft("RE21")
def test_gaussian_dropout_has_the_two_moments_of_inverted_dropout():
    torch.manual_seed(0)
    x = torch.randn(MANY)
    gaussian, usual = GaussianDropout(0.3)(x), nn.Dropout(0.3)(x)
    assert gaussian.mean().item() == pytest.approx(usual.mean().item(), abs=0.01)
    assert gaussian.var().item() == pytest.approx(usual.var().item(), rel=0.02)


@pytest.mark.craft("RE22")
@given(beta=st.floats(0.05, 1.0))
@settings(max_examples=15, deadline=None)
def test_uniform_dropout_multiplies_by_one_plus_r_within_beta(beta):
    torch.manual_seed(0)
    factor = UniformDropout(beta)(torch.full((MANY,), 2.0)) / 2
    assert 1 - beta - 1e-6 <= factor.min().item() < 1 - 0.99 * beta
    assert 1 + 0.99 * beta < factor.max().item() <= 1 + beta + 1e-6
    assert factor.mean().item() == pytest.approx(1, abs=5 * beta / MANY**0.5)
    assert factor.var().item() == pytest.approx(beta**2 / 3, rel=0.02)


@pytest.mark.craft("RE15")
def test_original_dropout_weights_by_the_keep_probability_in_evaluation():
    torch.manual_seed(0)
    layer, x = OriginalDropout(0.3), torch.rand(MANY) + 1
    trained = layer(x)
    assert set((trained / x).unique().tolist()) == {0.0, 1.0}
    assert (trained == 0).float().mean().item() == pytest.approx(0.3, abs=0.005)
    assert torch.equal(layer.eval()(x), x * 0.7)


@pytest.mark.parametrize("layer", [GaussianDropout(0.5), UniformDropout(0.5)])
def test_noise_is_absent_in_evaluation(layer):
    x = torch.randn(10, 10)
    assert not torch.equal(layer.train()(x), x)
    assert torch.equal(layer.eval()(x), x)


@pytest.mark.parametrize("layer", [GaussianDropout(0.0), UniformDropout(0.0), OriginalDropout(0.0)])
def test_no_noise_at_zero(layer):
    x = torch.randn(10, 10)
    assert torch.equal(layer.train()(x), x)


@pytest.mark.parametrize(
    "make", [lambda: GaussianDropout(1.0), lambda: OriginalDropout(-0.1), lambda: UniformDropout(1.5)]
)
def test_impossible_noise_is_refused(make):
    with pytest.raises(ValueError, match=r"given (1\.0|-0\.1|1\.5)"):
        make()
