import pytest

from osler.structures.errors import RecipeError, UnknownNameError
from osler.structures.person_code import is_file_spec, load_from_file


@pytest.fixture
def own(tmp_path):
    """A function that writes a file and gives the spec of a name in it."""

    def write(text, name="Net", file="my_net.py"):
        (tmp_path / file).write_text(text, encoding="utf-8")
        return f"{tmp_path / file}:{name}"

    return write


def test_the_named_thing_is_given(own):
    net = load_from_file(own("class Net:\n    answer = 42\n"))
    assert net.answer == 42
    assert net.__name__ == "Net"


def test_the_file_may_import_its_neighbours_and_declare_dataclasses(own):
    own("WIDTH = 8\n", file="widths_of_mine.py")
    text = "from __future__ import annotations\nfrom dataclasses import dataclass\nfrom widths_of_mine import WIDTH\n"
    net = load_from_file(own(text + "@dataclass\nclass Net:\n    width: int = WIDTH\n"))
    assert net().width == 8


def test_what_is_a_file_and_what_is_a_name():
    assert is_file_spec("my_net.py:Net")
    assert is_file_spec(r"C:\nets\my_net.py:Net")
    assert not is_file_spec("resnet18")
    assert not is_file_spec("my_net.py")
    assert not is_file_spec("my_net.txt:Net")


def test_a_spec_without_a_name_says_how_to_write_it():
    with pytest.raises(RecipeError, match=r"'my_net\.py' does not name a network.*my_network\.py:Name"):
        load_from_file("my_net.py", "network")


def test_a_missing_file_is_named_in_full(tmp_path):
    with pytest.raises(RecipeError, match="no such file") as error:
        load_from_file(f"{tmp_path / 'nowhere.py'}:Net", "network")
    assert str(tmp_path / "nowhere.py") in str(error.value)


def test_a_misspelled_name_offers_the_nearest(own):
    with pytest.raises(UnknownNameError, match=r"my_net\.py: There is no network called 'Nett'\. Did you mean 'Net'"):
        load_from_file(own("class Net: ...\n", "Nett"), "network")
    with pytest.raises(UnknownNameError, match="nothing that can be called"):
        load_from_file(own("width = 3\n"), "network")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("import torch\n\ndef f(:\n", r"SyntaxError: .*\(line 3\)"),
        ("a = 1\nb = 1 / 0\n", r"ZeroDivisionError: division by zero \(line 2\)"),
        ("import a_package_that_is_nowhere\n", r"ModuleNotFoundError: .*a_package_that_is_nowhere.* \(line 1\)"),
    ],
)
def test_a_file_that_does_not_run_says_where(own, text, said):
    with pytest.raises(RecipeError, match=r"my_net\.py, which should give the loss, does not run: " + said):
        load_from_file(own(text), "loss")


def test_two_files_of_one_name_are_two_files(own, tmp_path):
    first = load_from_file(own("def answer():\n    return hidden\nhidden = 1\n", "answer"))
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "my_net.py").write_text("def answer():\n    return hidden\nhidden = 2\n")
    second = load_from_file(f"{tmp_path / 'other' / 'my_net.py'}:answer")
    assert (first(), second()) == (1, 2)
