import pytest
import torch

from osler.lab.relu_information import information_loss, spiral


@pytest.mark.craft("LW05")
def test_relu_loses_in_few_dimensions_and_keeps_in_many() -> None:
    found = {row.dimensions: row for row in information_loss()}
    for dimensions, error, inverse, lost in (
        (2, 0.34, 0.56, 0.25),
        (3, 0.20, 0.50, 0.13),
        (5, 0.06, 0.41, 0.03),
        (15, 0.0001, 0.30, 0.0),
        (30, 0.0, 0.27, 0.0),
    ):
        row = found[dimensions]
        assert row.error == pytest.approx(error, abs=0.03)
        assert row.error_inverse == pytest.approx(inverse, abs=0.05)
        assert row.lost == pytest.approx(lost, abs=0.02)
    errors = [row.error for row in found.values()]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 1e-4, "what the pseudo-inverse leaves there is not lost"


@pytest.mark.craft("LW05")
def test_of_half_the_plane_nothing_is_left_in_one_dimension() -> None:
    """One direction: all points on its far side become zero."""
    (row,) = information_loss((1,), matrices=50)
    assert row.lost == pytest.approx(0.5, abs=0.05)
    assert row.error > 0.5


def test_the_spiral_has_unit_mean_square_and_is_nowhere_zero() -> None:
    points = spiral(300)
    assert points.shape == (300, 2)
    assert float(points.square().mean()) == pytest.approx(1)
    assert float(points.norm(dim=1).min()) > 0
    assert torch.equal(points, spiral(300))
