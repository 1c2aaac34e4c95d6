"""The path aggregation neck: a pyramid, and a way up again."""

import pytest
import torch
from torch import nn

from osler.nn.feature_pyramid import FeaturePyramid
from osler.nn.path_aggregation import PathAggregation

MAPS = [torch.randn(2, c, s, s, generator=torch.Generator().manual_seed(c)) for c, s in ((8, 13), (16, 7), (24, 4))]


def neck(extra: str = "none") -> PathAggregation:
    torch.manual_seed(0)
    return PathAggregation((8, 16, 24), 8, extra=extra, strides=(8, 16, 32))


@pytest.mark.parametrize(("extra", "sides"), [("none", [13, 7, 4]), ("pool", [13, 7, 4, 2])])
def test_levels_are_as_large_as_the_pyramids_also_where_sizes_are_odd(extra: str, sides: list[int]) -> None:
    made = neck(extra)
    assert [tuple(level.shape) for level in made(MAPS)] == [(2, 8, side, side) for side in sides]
    assert made.channels == (8,) * len(sides)
    assert made.strides == tuple(8 * 2**i for i in range(len(sides)))


def test_the_finest_level_is_the_pyramids_own_and_the_others_are_sums_on_the_way_up() -> None:
    made = neck()
    pyramid = made.pyramid(MAPS)
    levels = made(MAPS)
    torch.testing.assert_close(levels[0], pyramid[0])
    for i in (1, 2):
        down, smooth = made.down[i - 1][0], made.smooth[i - 1][0]
        below = nn.functional.conv2d(levels[i - 1], down.weight, down.bias, stride=2, padding=1).relu()
        wanted = nn.functional.conv2d(below + pyramid[i], smooth.weight, smooth.bias, padding=1).relu()
        torch.testing.assert_close(levels[i], wanted)


def test_what_a_fine_map_knows_reaches_the_coarsest_level_only_by_the_way_up() -> None:
    def moved(made: nn.Module) -> bool:
        finer = [MAPS[0] + 1, *MAPS[1:]]
        return not torch.equal(made(finer)[2], made(MAPS)[2])

    assert moved(neck())
    assert not moved(FeaturePyramid((8, 16, 24), 8, strides=(8, 16, 32)))
