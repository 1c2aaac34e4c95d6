import io

import numpy as np
import pytest
from data_files import class_folders, picture, write_picture
from rich.console import Console

from osler.cli.data_table import print_audit
from osler.data.audit import audit
from osler.data.opening import open_data
from osler.data.recipe import DataSection
from osler.structures.errors import DataError
from osler.verbs.data import describe_data


def printed(found):
    console = Console(file=io.StringIO(), width=120)
    print_audit(found, console)
    return console.file.getvalue()


@pytest.fixture
def sick(tmp_path):
    """A data set with one of everything that is wrong."""
    class_folders(tmp_path / "train", {"cat": 30, "dog": 3, "rare": 1})
    class_folders(tmp_path / "test", {"cat": 3, "dog": 2}, first=100)
    train, test = tmp_path / "train", tmp_path / "test"
    write_picture(train / "cat" / "again.bmp", picture(0))  # the pixels of cat/0.png in another file format
    write_picture(train / "dog" / "also.png", picture(1))  # a picture of a cat
    write_picture(test / "cat" / "leak.png", picture(2))
    write_picture(train / "cat" / "blank.png", np.full((12, 16, 3), 200, np.uint8))
    write_picture(train / "cat" / "huge.png", picture(500, height=400, width=30))
    (train / "cat" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    return tmp_path


def test_counts_and_sizes(sick):
    found = audit(sick)
    assert found.counts == {"train": {"cat": 34, "dog": 4, "rare": 1}, "test": {"cat": 4, "dog": 2, "rare": 0}}
    assert found.totals == {"train": 39, "test": 6}
    assert (found.heights.smallest, found.heights.median, found.heights.largest) == (12, 12, 400)
    assert (found.widths.smallest, found.widths.median, found.widths.largest) == (16, 16, 30)
    assert (found.channels, found.grey, found.pictures_measured) == (3, 1, 38)


@pytest.mark.parametrize(
    ("name", "where"),
    [
        ("duplicates across parts", ["train/cat/2.png", "test/cat/leak.png"]),
        ("conflicting labels", ["cat/1.png", "dog/also.png"]),
        ("duplicates", ["cat/0.png", "cat/again.bmp"]),
        ("unreadable", ["broken.png"]),
        ("blank", ["blank.png"]),
        ("single pictures", ["rare"]),
        ("imbalance", ["cat"]),
        ("missing in test", ["rare"]),
        ("extreme sizes", ["huge.png (400x30)"]),
    ],
)
def test_what_is_wrong_is_found_and_named(sick, name, where):
    problem = audit(sick).problem(name)
    assert problem is not None
    named = " ".join(problem.where)
    assert all(part in named for part in where)


def test_each_problem_is_where_it_is_and_nowhere_else(sick):
    found = audit(sick)
    assert len(found.problem("blank").where) == len(found.problem("unreadable").where) == 1
    assert len(found.problem("duplicates across parts").where) == len(found.problem("conflicting labels").where) == 1
    assert len(found.problem("duplicates").where) == 2  # the conflicting pair is one, too
    assert len(found.problem("extreme sizes").where) == 1


def test_nothing_is_wrong_with_good_data(tmp_path):
    class_folders(tmp_path, {"a": 5, "b": 6})
    found = audit(tmp_path)
    assert not found.problems
    pixels = np.stack([picture(i) for i in range(11)])
    np.testing.assert_allclose(found.mean, pixels.mean((0, 1, 2)) / 255)
    np.testing.assert_allclose(found.std, pixels.std((0, 1, 2)) / 255)
    assert "Nothing wrong was found" in printed(found)


def test_one_class_is_described_where_training_would_refuse_it(tmp_path):
    class_folders(tmp_path, {"only": 3})
    assert audit(tmp_path).problem("one class").where == ("only",)


def test_an_open_source_is_described_in_its_parts():
    found = describe_data(open_data(DataSection(test=0.1), seed=0))
    assert list(found.counts) == ["train", "validation", "test"]
    assert sum(found.totals.values()) == 1797
    assert found.channels == 1
    assert found.grey == 1797


def test_numbers_and_labels_are_described(tmp_path):
    for i in range(6):
        write_picture(tmp_path / f"{i}.png", i)
    (tmp_path / "ages.csv").write_text("file,age\n" + "".join(f"{i}.png,{i}.5\n" for i in range(6)))
    (tmp_path / "tags.csv").write_text("file,red,all\n" + "".join(f"{i}.png,{i % 2},1\n" for i in range(6)))
    ages, tags = describe_data(tmp_path / "ages.csv"), describe_data(tmp_path / "tags.csv")
    assert (ages.numbers["age"].smallest, ages.numbers["age"].median, ages.numbers["age"].largest) == (0.5, 3, 5.5)
    assert tags.counts == {"train": {"red": 3, "all": 6}}
    assert tags.problem("constant labels").where == ("all",)
    assert "age" in printed(ages)
    assert "red" in printed(tags)


def test_the_table_shows_counts_and_problems(sick):
    text = printed(audit(sick))
    for part in ("45 pictures, 3 classes", "34", "duplicates across parts", "leak.png", "broken.png", "mean ± spread"):
        assert part in text


def test_many_classes_are_cut_and_counted(tmp_path):
    class_folders(tmp_path, {f"class{i}": 1 + (i == 44) for i in range(45)})
    text = printed(audit(tmp_path))
    assert "class44" in text
    assert "5 more" in text


def test_names_with_brackets_are_printed_as_they_are(tmp_path):
    class_folders(tmp_path, {"[bold]a": 2, "b": 2})
    assert "[bold]a" in printed(audit(tmp_path))


def test_a_persons_own_data_is_described():
    images = np.random.default_rng(0).integers(0, 256, (20, 5, 5, 1), np.uint8)
    assert describe_data((images, np.arange(20) % 2)).totals == {"train": 17, "validation": 3}


def test_missing_data_is_said(tmp_path):
    with pytest.raises(DataError, match="nothing at"):
        describe_data(tmp_path / "nowhere")
