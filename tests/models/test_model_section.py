"""The `model` section of a recipe."""

import pytest
from pydantic import ValidationError

from osler.models.recipe import ModelSection, Statistics


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("size", 0), ("size", (32, -1)), ("size", "big"), ("fit", "squash"), ("channels", 4), ("standardise", "tiny"),
        ("standardise", {"mean": [0.5], "std": [0.0]}), ("standardise", {"mean": [0.5], "std": [0.5, 0.5, 0.5]}),
        ("standardise", {"mean": [0.1, 0.2], "std": [0.5, 0.5]}), ("nmae", "resnet18"),
    ],
)  # fmt: skip
def test_refuses(field: str, value: object) -> None:
    with pytest.raises(ValidationError, match=field):
        ModelSection.model_validate({field: value})


def test_accepts_what_yaml_gives() -> None:
    section = ModelSection.model_validate(
        {
            "name": "resnet18",
            "options": {"stem": "small"},
            "size": [32, 48],
            "channels": 1,
            "standardise": {"mean": [0.1], "std": [0.2]},
        }
    )
    assert section.size == (32, 48)
    assert section.standardise == Statistics(mean=(0.1,), std=(0.2,))
    assert ModelSection.model_validate(section.model_dump()) == section


def test_every_key_is_described() -> None:
    assert all(field.description for field in ModelSection.model_fields.values())
