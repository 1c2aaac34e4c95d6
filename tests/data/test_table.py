import numpy as np
import pytest
from data_files import write_picture

from osler.data.opening import open_data
from osler.data.recipe import DataSection
from osler.structures.errors import DataError


@pytest.fixture
def folder(tmp_path):
    for i in range(12):
        write_picture(tmp_path / "pictures" / f"{i}.png", i)
    return tmp_path


def table(folder, header, cells, *, name="labels.csv"):
    """A CSV with a row for each cell (or several cells, joined by commas) and picture."""
    lines = [header, *(f"pictures/{i}.png,{cell}" for i, cell in enumerate(cells))]
    path = folder / name
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


def opened(path, **values):
    return open_data(DataSection(path=str(path), validation=0, **values), seed=0)


def test_words_are_classes(folder):
    source = opened(table(folder, "file,animal", ["dog", "cat", "Ünze"] * 4))
    assert (source.kind, source.names) == ("class", ("cat", "dog", "Ünze"))
    assert source.train.targets.tolist() == [1, 0, 2] * 4
    assert source.train[5].path.endswith("pictures/5.png")


@pytest.mark.parametrize("separator", [";", "|", " ; "])
def test_words_with_separators_are_several_labels(folder, separator):
    source = opened(table(folder, "file,tags", [f"red{separator}big", "red", f"big{separator}old"] * 4))
    assert (source.kind, source.names) == ("labels", ("big", "old", "red"))
    assert source.train.targets[:3].tolist() == [[1, 0, 1], [0, 0, 1], [1, 1, 0]]
    assert source.train.targets.dtype == np.uint8


def test_columns_of_0_and_1_are_several_labels(folder):
    source = opened(table(folder, "file,red,big", ["1,0", "0,1", "1,1"] * 4))
    assert (source.kind, source.names) == ("labels", ("red", "big"))
    assert source.train.targets[:3].tolist() == [[1, 0], [0, 1], [1, 1]]


def test_numbers_are_numbers(folder):
    source = opened(table(folder, "file,age", [f"{i}.5" for i in range(12)]))
    assert (source.kind, source.names) == ("numbers", ("age",))
    np.testing.assert_allclose(source.train.targets, np.arange(12)[:, None] + 0.5)
    assert source.train.targets.dtype == np.float32
    several = opened(table(folder, "file,x,y", [f"{i},{-i}e1" for i in range(12)]))
    assert several.train.targets[3].tolist() == [3, -30]


def test_few_whole_numbers_are_classes_and_the_guess_is_said(folder):
    source = opened(table(folder, "file,grade", ["10", "9"] * 6))
    assert (source.kind, source.names) == ("class", ("9", "10"))
    assert any("data.labels=numbers" in note for note in source.notes)
    assert opened(table(folder, "file,grade", ["10", "9"] * 6), labels="numbers").train.targets[:2].tolist() == [
        [10],
        [9],
    ]


def test_many_whole_numbers_are_numbers_and_the_guess_is_said(tmp_path):
    for i in range(21):
        write_picture(tmp_path / "pictures" / f"{i}.png", i)
    path = table(tmp_path, "file,age", [str(i) for i in range(21)])
    source = opened(path)
    assert source.kind == "numbers"
    assert any("data.labels=class" in note for note in source.notes)
    assert opened(path, labels="class").names == tuple(str(i) for i in range(21))


def test_columns_are_chosen(folder):
    path = table(folder, "id,file,animal,age", [])
    path.write_text("id,file,animal,age\n" + "".join(f"{i},pictures/{i}.png,{'ab'[i % 2]},{i}.5\n" for i in range(12)))
    assert opened(path, image_column="file", label_columns=("animal",)).names == ("a", "b")
    assert opened(path, image_column="file", label_columns=("age",)).kind == "numbers"


def test_a_split_column_divides(folder):
    splits = ["train"] * 8 + ["val"] * 2 + ["Test"] * 2
    source = opened(table(folder, "file,animal,split", [f"{'ab'[i % 2]},{s}" for i, s in enumerate(splits)]))
    assert (len(source.train), len(source.validation), len(source.test)) == (8, 2, 2)
    with pytest.raises(DataError, match=r"line 3.*'dev'"):
        opened(table(folder, "file,animal,split", ["a,train", "b,dev"]))


def test_tabs_semicolons_quotes_and_a_byte_order_mark_are_read(folder):
    path = folder / "x.csv"
    path.write_text(
        "\ufefffile;animal\r\n" + "".join(f'"pictures/{i}.png";"{"ab"[i % 2]}, big"\r\n' for i in range(12)), "utf-8"
    )
    assert opened(path).names == ("a, big", "b, big")
    path = folder / "x.tsv"
    path.write_text("file\tanimal\n" + "".join(f"pictures/{i}.png\t{'ab'[i % 2]}\n" for i in range(12)))
    assert opened(path).names == ("a", "b")


def test_a_folder_with_one_table_and_its_pictures_is_a_table(tmp_path):
    for i in range(4):
        write_picture(tmp_path / f"{i}.png", i)
    (tmp_path / "labels.csv").write_text("file,animal\n" + "".join(f"{i}.png,{'ab'[i % 2]}\n" for i in range(4)))
    assert opened(tmp_path).names == ("a", "b")


def test_a_few_missing_pictures_are_skipped_and_named(folder):
    path = table(folder, "file,animal", ["a", "b"] * 6)
    (folder / "pictures" / "3.png").unlink()
    source = opened(path)
    assert len(source.train) == 11
    (skipped,) = source.skipped
    assert skipped.path.endswith("3.png")
    assert "line 5" in skipped.reason
    with pytest.raises(DataError, match=r"1 of the 12 pictures .* do not exist"):
        opened(path, unreadable=0.05)


@pytest.mark.parametrize(
    ("header", "cells", "values", "said"),
    [
        ("file,animal", ["a", "b"], {"label_columns": ("animl",)}, "no column 'animl'. Did you mean 'animal'"),
        ("file,animal", ["a", "b"], {"image_column": "path"}, "no column 'path'"),
        ("file,animal", ["a", ""], {}, "line 3: column 'animal' is empty"),
        ("file,x,y", ["1,0", ",1"], {}, "line 3: column 'x' is empty"),
        ("file,x", ["1.5", "tall"], {}, "mixes numbers and words: '1.5' .line 2., 'tall' .line 3."),
        ("file,x", ["1.5", "nan"], {}, "mixes numbers and words"),
        ("file,x", ["1.5", "tall"], {"labels": "numbers"}, "line 3: 'tall' in column 'x' is no number"),
        ("file,x,y", ["1,0", "0,2"], {"labels": "labels"}, "line 3: '2' in column 'y'"),
        ("file,x,y", ["1,0", "0,2"], {"labels": "class"}, "needs one column"),
        ("file,animal", ["a", "b,c"], {}, "line 3: 3 cells where the first line has 2"),
        ("file,file", ["a", "b"], {}, "two columns of one name"),
        ("file", [], {}, "holds no rows"),
        ("file,animal", ["a", "a"], {}, "one class only"),
    ],
)
def test_what_cannot_be_used_is_said_with_its_line(folder, header, cells, values, said):
    with pytest.raises(DataError, match=said):
        opened(table(folder, header, cells), **values)


def test_an_empty_cell_is_no_label_where_labels_are_asked_for(folder):
    source = opened(table(folder, "file,tags", ["red;big", "", "big"] * 4), labels="labels")
    assert source.train.targets[1].tolist() == [0, 0]


def test_a_table_that_is_missing_empty_or_not_text_is_said(folder):
    for name, content, said in (
        ("a.csv", None, "nothing at"),
        ("b.csv", b"", "no rows"),
        ("c.csv", b"\xff\xfe\0x,\0y\n", "UTF-8"),
    ):
        if content is not None:
            (folder / name).write_bytes(content)
        with pytest.raises(DataError, match=said):
            opened(folder / name)
    (folder / "d.csv").write_text("file\npictures/1.png\n")
    with pytest.raises(DataError, match="no column of labels"):
        opened(folder / "d.csv")


def test_real_pictures_with_their_class_index(shared):
    source = opened(shared / "data" / "imagenet-sample", label_columns=("class_index",), labels="class")
    assert len(source.names) == 250
    assert source.names[:3] == ("0", "4", "8")
    assert source.train[0].image.shape[2] == 3
