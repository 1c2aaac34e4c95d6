"""The field's history as a table."""

import pytest
import torch

from osler.models.history import as_table, timeline
from osler.models.registry import create_model


@pytest.fixture(scope="module")
def milestones() -> dict[str, object]:
    return {m.name: m for m in timeline()}


@pytest.mark.craft("AR23")
def test_from_lenet_to_densenet_by_year_with_counts(milestones: dict) -> None:
    years = [m.year for m in milestones.values()]
    assert years == sorted(years)
    dated = {"lenet5": 1998, "alexnet": 2012, "zfnet": 2013, "vgg16": 2014, "googlenet": 2014, "resnet152": 2015}
    assert {name: milestones[name].year for name in dated} == dated
    assert "densenet121" in milestones
    counts = {name: (m.parameters, m.multiply_adds) for name, m in milestones.items()}
    assert counts["lenet5"] == (61_706, 416_520)
    assert counts["alexnet"] == (60_965_224, 724_406_816)
    assert counts["vgg16"] == (138_357_544, 15_470_264_320)
    assert counts["resnet152"] == (60_192_808, 11_513_626_624)
    assert all(m.news for m in milestones.values())


@pytest.mark.craft("AR23")
def test_the_table_is_made_from_the_networks(milestones: dict) -> None:
    lines = as_table(list(milestones.values()))
    assert len(lines) == 2 + len(milestones)
    assert len({line.count("|") for line in lines}) == 1
    row = next(line for line in lines if "| zfnet |" in line)
    with torch.device("meta"):
        parameters = sum(p.numel() for p in create_model("zfnet").parameters())
    assert f"| 224 | {parameters:,} | 1,168,032,896 | 61.6 |" in row
    assert row.startswith("| 2013 | ")


def test_years_of_better_networks(milestones: dict) -> None:
    """What the table lets one see: ten years on, a tenth of the multiply-adds for ten points more."""
    old, new = milestones["vgg16"], milestones["mobilenet_v3_large"]
    assert new.multiply_adds < old.multiply_adds / 50
    assert new.accuracy > old.accuracy
