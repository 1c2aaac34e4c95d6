import pytest

from osler.lab.last_stage import last_stages


@pytest.mark.craft("LW07")
def test_pooling_before_the_widest_layer_saves_what_the_paper_says() -> None:
    """Howard et al. 2019, section 5.1: 30 million multiply-adds."""
    found = last_stages()
    positions, head = 7 * 7, 1280 * 1000
    assert found.old == positions * (160 * 960 + 9 * 960 + 960 * 320 + 320 * 1280) + head
    assert found.new == positions * 160 * 960 + 960 * 1280 + head
    assert found.saved == pytest.approx(30e6, rel=0.15)


@pytest.mark.craft("LW07")
def test_the_saving_grows_with_the_map() -> None:
    """For pictures of 448 pixels almost all of the old stage, four times as dear, could be spared."""
    small, large = last_stages(side=7), last_stages(side=14)
    assert large.saved > 4 * small.saved
    assert small.new / small.old == pytest.approx(0.226, abs=0.001)
    assert large.new / large.old < small.new / small.old
