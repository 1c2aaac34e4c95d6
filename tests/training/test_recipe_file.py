"""Recipes in YAML and as `key=value` words: what is read, what is refused and how, and the way to a file and back."""

from pathlib import Path
from types import UnionType
from typing import Any, get_args, get_origin

import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from osler.structures.errors import RecipeError
from osler.training.recipe import Origin, Recipe, ResolvedRecipe
from osler.training.recipe_file import (
    DECLARED,
    full_key,
    override,
    read_recipe,
    read_text,
    recipe_text,
    short_key,
    write_recipe,
)


def written(folder: Path, text: str) -> Path:
    path = folder / "my.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def told(path: Path | None = None, words: tuple[str, ...] = (), **values: Any) -> str:
    """The message with which a recipe is refused."""
    with pytest.raises(RecipeError) as refused:
        read_recipe(path, words, values)
    return str(refused.value)


# ---- reading


def test_a_file_sets_what_it_names_and_leaves_the_rest(tmp_path: Path) -> None:
    resolved = read_recipe(written(tmp_path, "data: {path: photos}\ntrain:\n  epochs: 3\n  lr: 1e-3\nseed: 7\n"))
    recipe = resolved.recipe
    assert (recipe.data.path, recipe.train.epochs, recipe.train.lr, recipe.seed) == ("photos", 3, 0.001, 7)
    assert recipe.train.schedule == Recipe().train.schedule
    assert {k for k, o in resolved.origins.items() if o.who == "person"} == {
        "data.path", "train.epochs", "train.lr", "seed"
    }  # fmt: skip


def test_an_empty_file_is_the_defaults(tmp_path: Path) -> None:
    assert read_recipe(written(tmp_path, "# nothing yet\n")).recipe == Recipe()
    assert read_recipe(written(tmp_path, "train:\ndata:\n")).recipe == Recipe()


def test_words_go_over_the_file_and_values_over_the_words(tmp_path: Path) -> None:
    path = written(tmp_path, "train: {epochs: 3, lr: 0.1, momentum: 0.8}\n")
    train = read_recipe(path, ["train.lr=0.2", "train.momentum=0.7"], {"train.momentum": 0.6}).recipe.train
    assert (train.epochs, train.lr, train.momentum) == (3, 0.2, 0.6)


@pytest.mark.parametrize(
    ("word", "key", "value"),
    [
        ("data=photos", "data.path", "photos"),
        ("model=resnet18", "model.name", "resnet18"),
        ("task=regression", "task.name", "regression"),
        ("estimator=svm", "estimator.name", "svm"),
        ("augment=none", "data.augment.preset", "none"),
        ("epochs=5", "train.epochs", 5),
        ("lr=1e-3", "train.lr", 0.001),
        ("lr=auto", "train.lr", "auto"),
        ("mixup=0.2", "data.augment.mixup", 0.2),
        ("train.log=[csv, tensorboard]", "train.log", ("csv", "tensorboard")),
        ("size=[32, 48]", "model.size", (32, 48)),
        ("size=64", "model.size", 64),
        ("compile=true", "train.compile", True),
        ("data.path=a=b", "data.path", "a=b"),
        ("train={epochs: 4}", "train.epochs", 4),
        ("augment={mixup: 0.3}", "data.augment.mixup", 0.3),
    ],
)  # fmt: skip
def test_a_word_may_be_short(word: str, key: str, value: object) -> None:
    resolved = read_recipe(overrides=[word])
    assert resolved.value(key) == value
    assert resolved.origin(key).who == "person"


@pytest.mark.parametrize("name", ["2024", "1e5", "no", "2024-01-31", "0x10", "1_000"])
def test_a_name_that_looks_like_a_number_is_still_a_name(tmp_path: Path, name: str) -> None:
    assert read_recipe(overrides=[f"data={name}"]).recipe.data.path == name
    assert read_recipe(written(tmp_path, f"data:\n  path: {name}\n")).recipe.data.path == name


@pytest.mark.parametrize("text", ["1e-3", "1E-3", "1.e-3", "0.1e-2", "+1e-3", "0.001"])
def test_numbers_are_written_as_people_write_them_also_in_free_options(tmp_path: Path, text: str) -> None:
    path = written(tmp_path, f"estimator: {{options: {{C: {text}}}}}\ntrain: {{weight_decay: {text}}}\n")
    recipe = read_recipe(path, [f"model.options.dropout={text}"]).recipe
    assert recipe.estimator.options == {"C": 0.001}
    assert recipe.model.options == {"dropout": 0.001}
    assert recipe.train.weight_decay == 0.001


def test_free_options_are_nested_and_added_to() -> None:
    mine = {"betas": [0.8, 0.9]}
    resolved = read_recipe(None, ["train.optimizer_options.eps=1e-6"], {"train.optimizer_options": mine})
    assert resolved.recipe.train.optimizer_options in ({"betas": [0.8, 0.9]}, {"eps": 1e-6, "betas": [0.8, 0.9]})
    both = override(resolved, ["train.optimizer_options.amsgrad=true"])
    assert both.recipe.train.optimizer_options["amsgrad"] is True
    assert both.recipe.train.optimizer_options["betas"] == [0.8, 0.9]
    assert mine == {"betas": [0.8, 0.9]}  # what a person passed is theirs


def test_values_from_python_may_be_sections_and_paths(tmp_path: Path) -> None:
    recipe = read_recipe(
        values={"train": {"epochs": 2, "lr": 0.5}, "weights": tmp_path, "augment": {"mixup": 0.1}}
    ).recipe
    assert (recipe.train.epochs, recipe.train.lr, recipe.data.augment.mixup) == (2, 0.5, 0.1)
    assert recipe.model.weights == str(tmp_path)


@pytest.mark.parametrize("key", list(DECLARED))
def test_the_short_form_of_a_key_means_that_key(key: str) -> None:
    assert full_key(short_key(key), "here") == key
    assert len(short_key(key)) <= len(key)


# ---- refusing


def test_an_unknown_key_names_its_line_and_the_nearest_right_key(tmp_path: Path) -> None:
    path = written(tmp_path, "data:\n  path: photos\ntrain:\n  lr: 0.1\n  epoch: 5\n")
    message = told(path)
    assert f"{path}:5" in message
    assert "'train.epoch'" in message
    assert "'train.epochs'" in message
    assert "\n" not in message


def test_an_unknown_word_names_itself_and_the_nearest_right_key() -> None:
    message = told(words=("train.epoches=5",))
    assert "train.epoches=5" in message
    assert "'train.epochs'" in message


def test_a_key_like_no_other_says_where_all_keys_are_printed() -> None:
    assert "osler train --show" in told(words=("qqqqzzzz=5",))


@pytest.mark.parametrize("key", ["options", "name"])
def test_a_short_name_of_several_keys_names_them_all(key: str) -> None:
    message = told(words=(f"{key}=x",))
    assert f"model.{key}" in message
    assert f"estimator.{key}" in message


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("train:\n  epochs: many\n", 2, ["train.epochs = 'many'", "valid integer"]),
        ("train:\n  epochs: 0\n", 2, ["train.epochs = 0", "greater than 0"]),
        ("train:\n  momentum: 1\n", 2, ["train.momentum = 1", "less than 1"]),
        ("train:\n  schedule: cosin\n", 2, ["train.schedule = 'cosin'", "'cosine'"]),
        ("\ntrain:\n  batch_size: big\n", 3, ["train.batch_size = 'big'", "integer", "'auto'"]),
        ("data:\n  label_columns: price\n", 2, ["data.label_columns = 'price'", "[price]"]),
        ("data:\n  path:\n", 2, ["data.path = None", "valid string"]),
        ("train: 5\n", 1, ["train is a section", "train.epochs"]),
        ("train: [1, 2]\n", 1, ["train is a section"]),
        ("train.epochs.of: 5\n", 1, ["no key 'train.epochs.of'"]),
        ("train:\n  lr: 1\n  lr: 2\n", 3, ["train.lr was given before", ":2"]),
        ("train:\n  lr: 1\nlr: 2\n", 3, ["train.lr was given before", ":2"]),
        ("model:\n  standardise: {mean: [0.5], std: [1, 1]}\n", 2, ["mean and std need"]),
        ("model:\n  size: -3\n", 2, ["model.size = -3"]),
        ("set_by: {train.lr: 3}\n", 1, ["set_by"]),
        ("set_by: {train.lr: [somebody]}\n", 1, ["set_by"]),
        ("- train\n", 1, ["keys and values"]),
        ("train: {epochs: 3\n", 2, ["not YAML"]),
    ],
)  # fmt: skip
def test_what_is_wrong_in_a_file_is_said_with_its_line(tmp_path: Path, text: str, line: int, says: list[str]) -> None:
    path = written(tmp_path, text)
    message = told(path)
    assert message.startswith(f"{path}:{line}: ")
    for part in says:
        assert part in message
    assert "\n" not in message


def test_several_wrong_values_are_said_together_a_line_each() -> None:
    message = told(words=("train.epochs=0", "train.momentum=2"))
    assert [m.partition(" is not")[0].rpartition(": ")[2] for m in message.splitlines()] == [
        "train.epochs = 0", "train.momentum = 2"
    ]  # fmt: skip


def test_a_wrong_value_is_told_with_what_the_key_is() -> None:
    assert DECLARED["train.accumulate"].description in told(words=("train.accumulate=-1",))


@pytest.mark.parametrize("word", ["photos", "train.epochs"])
def test_a_word_without_an_equals_sign_is_refused(word: str) -> None:
    assert "key=value" in told(words=(word,))


def test_a_missing_recipe_and_one_that_is_no_text_are_said(tmp_path: Path) -> None:
    assert f"no recipe at {tmp_path / 'none.yaml'}" in told(tmp_path / "none.yaml")
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe\x00")
    assert "cannot be read" in told(tmp_path / "bytes.yaml")
    assert "cannot be read" in told(tmp_path)


def test_code_in_a_recipe_is_refused_and_not_run(tmp_path: Path) -> None:
    planted = tmp_path / "planted"
    path = written(tmp_path, f"data:\n  path: !!python/object/apply:pathlib.Path.touch [{planted}]\n")
    message = told(path)
    assert f"{path}:2" in message
    assert not planted.exists()


# ---- there and back


def test_a_written_recipe_is_read_back_with_values_and_origins(tmp_path: Path) -> None:
    resolved = read_recipe(
        overrides=["data=2024", "train.optimizer_options.eps=1e-9", "model.options={stem: small}", "lr=1e-5"]
    )
    resolved = resolved.choose("train.precision", "bfloat16", "this processor: yes, 'it' has #bfloat16")
    resolved = resolved.choose("model.size", (24, 32), "as the weights were trained", who="weights")
    write_recipe(resolved, tmp_path / "recipe.yaml")
    again = read_recipe(tmp_path / "recipe.yaml")
    assert again.recipe == resolved.recipe
    assert list(again.rows()) == list(resolved.rows())
    assert read_text(recipe_text(again), "again") == again


def test_what_a_person_changes_in_a_written_recipe_is_theirs(tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    write_recipe(ResolvedRecipe().choose("train.device", "cpu", "no accelerator is there"), path)
    path.write_text(path.read_text().replace("epochs: 20", "epochs: 9"))
    again = read_recipe(path)
    assert (again.recipe.train.epochs, again.origin("train.epochs").who) == (9, "person")
    assert again.origin("train.device") == Origin("automatic", "no accelerator is there")
    assert again.origin("train.schedule").who == "default"


def test_a_word_over_a_written_recipe_makes_the_value_the_persons(tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    write_recipe(ResolvedRecipe().choose("train.batch_size", 64, "many pictures"), path)
    again = read_recipe(path, ["train.batch_size=64"])
    assert again.origin("train.batch_size").who == "person"


NUMBERS = st.floats(0, 0.99, allow_nan=False) | st.just(0.0)
WORDS = st.text(st.characters(blacklist_categories=("Cs", "Cc")), max_size=12)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.floats(allow_nan=False, allow_infinity=False) | WORDS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(WORDS.filter(lambda w: "." not in w), inner, max_size=3)
    ),
    max_leaves=5,
)


def values_of(annotation: Any) -> st.SearchStrategy[Any]:
    """Valid values of a declared type, as far as the type says it."""
    if annotation is str:
        return WORDS
    if annotation is bool:
        return st.booleans()
    if annotation is int:
        return st.integers(1, 10**6)
    if annotation is float:
        return NUMBERS
    if hasattr(annotation, "__metadata__"):  # Annotated: the type is the first
        return values_of(get_args(annotation)[0])
    inner = get_args(annotation)
    if inner and all(isinstance(a, str) for a in inner):  # a Literal
        return st.sampled_from(inner)
    if str(annotation).startswith(("dict", "typing.Dict")):
        return st.dictionaries(WORDS.filter(lambda w: "." not in w), PLAIN, max_size=3)
    if get_origin(annotation) is UnionType or str(annotation).startswith("typing.Union"):
        return st.one_of([values_of(a) for a in inner])
    if get_origin(annotation) is tuple and inner[-1] is Ellipsis:
        return st.lists(values_of(inner[0]), max_size=3).map(tuple)
    return st.nothing()


LEAVES = {k: values_of(info.annotation) for k, info in DECLARED.items()}
LEAVES = {k: s for k, s in LEAVES.items() if not s.is_empty}


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_any_value_survives_the_way_to_a_file_and_back(data: st.DataObject) -> None:
    key = data.draw(st.sampled_from(sorted(LEAVES)))
    value = data.draw(LEAVES[key])
    try:
        resolved = read_recipe(values={key: value})
    except RecipeError:  # a type says less than its constraints
        reject()
    again = read_text(recipe_text(resolved), "text")
    assert again.recipe == resolved.recipe
    assert again.value(key) == value
    assert again.origin(key).who == "person"


def test_most_keys_were_drawn_from() -> None:
    assert len(LEAVES) > 0.9 * len(DECLARED)
    assert {"train.batch_size", "train.lr", "train.log", "model.options", "data.path"} <= set(LEAVES)
