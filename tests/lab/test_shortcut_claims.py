import math
from statistics import geometric_mean

import pytest

from osler.lab.shortcut_claims import degradation, gradient_ratio


@pytest.mark.craft("LA27")
def test_shortcuts_keep_gradients_of_one_size_through_a_hundred_layers() -> None:
    """With batch norm, a plain network's gradient explodes on its way back; about 20 % a layer."""
    ratio = {k: geometric_mean(gradient_ratio(k, seed=s) for s in range(3)) for k in ("plain", "residual")}
    assert 1e5 < ratio["plain"] < 1e9
    assert 8 < ratio["residual"] < 80
    assert ratio["plain"] > 1e4 * ratio["residual"]
    by_layer = (gradient_ratio("plain", layers=100) / gradient_ratio("plain", layers=50)) ** (1 / 50)
    assert by_layer == pytest.approx(math.sqrt(math.pi / (math.pi - 1)), abs=0.08)


@pytest.mark.craft("LA27")
def test_before_the_activation_they_are_nearer_still() -> None:
    assert 1 < gradient_ratio("pre-activation") < gradient_ratio("residual") / 3


@pytest.mark.slow
@pytest.mark.craft("AR15")
def test_a_deeper_plain_network_trains_worse_and_a_deeper_residual_one_does_not() -> None:
    loss = degradation()
    shallow, deep = loss.plain
    assert deep > 2 * shallow, "degradation"
    assert deep > 1.5, "hardly below ln 10, the loss of guessing"
    shallow_residual, deep_residual = loss.residual
    assert deep_residual < shallow / 2
    assert deep_residual < shallow_residual + 0.1
    assert gradient_ratio("plain", layers=56) > 1, "it is not that its gradients vanish"
