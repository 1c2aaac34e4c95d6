"""The Recipe: its defaults, and who set each value."""

import pytest
from pydantic import ValidationError

from osler.structures.errors import OslerError
from osler.training.recipe import DEFAULT, Origin, Recipe, ResolvedRecipe, flatten, with_value
from osler.training.recipe_file import DECLARED, read_recipe


def test_every_key_has_a_default_and_a_description() -> None:
    values = dict(flatten(Recipe().model_dump()))
    assert set(DECLARED) <= set(values)
    assert [k for k, info in DECLARED.items() if not info.description] == []


def test_with_no_words_handwritten_digits_are_classified_for_twenty_epochs() -> None:
    recipe = Recipe()
    assert (recipe.data.path, recipe.task.name, recipe.train.epochs, recipe.seed) == ("digits", "auto", 20, 0)
    assert recipe.train.batch_size == recipe.train.lr == recipe.train.precision == recipe.model.name == "auto"


def test_a_recipe_is_frozen() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Recipe().train.epochs = 3  # type: ignore[misc]


def test_a_choice_leaves_the_recipe_that_it_was_made_for_as_it_was() -> None:
    before = ResolvedRecipe()
    after = before.choose("train.lr", 0.5, "for the test")
    assert (before.recipe.train.lr, after.recipe.train.lr) == ("auto", 0.5)
    assert before.origin("train.lr") == DEFAULT
    assert after.origin("train.lr") == Origin("automatic", "for the test")


def test_a_choice_is_validated_like_anything_else() -> None:
    with pytest.raises(ValidationError):
        ResolvedRecipe().choose("train.lr", -1, "impossible")


def test_a_value_is_found_by_its_dotted_key_also_inside_free_options() -> None:
    resolved = read_recipe(values={"model.options": {"stem": "small"}, "train.lr": 0.3})
    assert resolved.value("train.lr") == 0.3
    assert resolved.value("model.options.stem") == "small"


def test_the_origin_of_a_value_is_its_own_or_that_of_the_nearest_key_above() -> None:
    origins = {"model.options": Origin("person"), "model": Origin("weights", "from the run")}
    resolved = ResolvedRecipe(origins=origins)
    assert resolved.origin("model.options.stem").who == "person"
    assert resolved.origin("model.size").who == "weights"
    assert resolved.origin("train.lr") == DEFAULT


def test_rows_give_every_value_once_with_its_origin() -> None:
    resolved = read_recipe(values={"epochs": 3}).choose("train.device", "cpu", "no accelerator is there")
    rows = {key: (value, origin) for key, value, origin in resolved.rows()}
    assert len(rows) == len(list(resolved.rows())) == len(dict(flatten(Recipe().model_dump())))
    assert rows["train.epochs"] == (3, Origin("person"))
    assert rows["train.device"] == ("cpu", Origin("automatic", "no accelerator is there"))
    assert rows["train.schedule"] == ("cosine", DEFAULT)


def test_with_value_changes_one_leaf_and_keeps_the_rest() -> None:
    recipe = with_value(Recipe(), ["data", "augment", "mixup"], 0.2)
    assert recipe.data.augment.mixup == 0.2
    assert recipe.model_dump(exclude={"data": {"augment": {"mixup"}}}) == Recipe().model_dump(
        exclude={"data": {"augment": {"mixup"}}}
    )


def test_an_error_of_a_recipe_is_one_of_oslers() -> None:
    with pytest.raises(OslerError):
        read_recipe(values={"epochs": 0})
