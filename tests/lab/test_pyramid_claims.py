"""The feature pyramid and small objects, measured."""

import pytest

from osler.lab.pyramid_claims import small_object_recall


@pytest.mark.craft("DE29")
def test_a_pyramid_finds_small_objects_that_the_last_map_misses() -> None:
    found = small_object_recall(steps=70, pictures=12)
    assert found.pyramid > 0.25
    assert found.pyramid > 2 * found.last_map
