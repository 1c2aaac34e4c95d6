"""A saddle, a local and a global minimum: descent stays, noise, momentum and restarts get out. Rates over 50 seeds."""

import pytest
import torch

from osler.lab.escapes import critical_points, from_local_side, from_saddle, height, slope


def test_the_surface_is_what_it_is_said_to_be() -> None:
    low, middle, high = critical_points()
    places = torch.tensor([[low, 0.0], [middle, 0.0], [high, 0.0]], dtype=torch.float64)
    assert float(slope(places).abs().max()) < 1e-9
    heights = height(places).tolist()
    assert heights[0] < heights[2] < heights[1]
    curvatures = [12 * x * x - 4 for x in (low, middle, high)]
    assert [c > 0 for c in curvatures] == [True, False, True]
    leaf = torch.randn(5, 2, dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(height(leaf).sum(), leaf)
    torch.testing.assert_close(slope(leaf.detach()), gradient)


@pytest.mark.craft("FB16")
def test_at_the_saddle_descent_stays_and_noise_leaves() -> None:
    low, middle, high = critical_points()
    stays, leaves = from_saddle("descent"), from_saddle("noise")
    assert stays.path.shape == (1501, 50, 2)
    assert stays.rate(middle) == 1.0
    assert leaves.rate(middle) == 0.0
    assert leaves.rate(low) + leaves.rate(high) == 1.0
    assert 0.2 < leaves.rate(low) < 0.8, "to either side"


@pytest.mark.craft("FB16")
def test_in_the_local_minimum_descent_stays_and_the_others_reach_the_global_one() -> None:
    """Measured: descent 0, noise 0.72, momentum 0.44, the best of eight restarts 1."""
    low, _, high = critical_points()
    rates = {way: from_local_side(way).rate(low) for way in ("descent", "noise", "momentum", "restarts")}
    assert rates["descent"] == 0.0
    assert from_local_side("descent").rate(high) == 1.0
    assert rates["noise"] > 0.5
    assert rates["momentum"] > 0.25
    assert rates["restarts"] > 0.9
    assert from_local_side("noise").rate(high) > 0, "noise may as well leave the global one"
