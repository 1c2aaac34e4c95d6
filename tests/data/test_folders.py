import numpy as np
import pytest
from data_files import class_folders, picture, write_picture

from osler.data.opening import open_data
from osler.data.pictures import natural_key, pictures_under
from osler.data.recipe import DataSection
from osler.structures.errors import DataError


def opened(path, **values):
    return open_data(DataSection(path=str(path), **values), seed=0)


def test_class_folders_become_classes_in_natural_order_with_the_right_pictures(tmp_path):
    class_folders(tmp_path, {"kind10": 10, "kind2": 10, "Kind1": 10})
    source = opened(tmp_path)
    assert source.names == ("Kind1", "kind2", "kind10")
    assert source.kind == "class"
    for dataset in (source.train, source.validation):
        for i in range(len(dataset)):
            sample = dataset[i]
            assert source.names[sample.target] in sample.path
            assert sample.target == dataset.targets[i]
            assert sample.index == i
    assert source.channels == 3
    assert source.typical_size == (12, 16)
    assert source.uniform


def test_pixels_are_rgb_and_whole(tmp_path):
    class_folders(tmp_path, {"a": 8, "b": 8})
    source = opened(tmp_path)
    sample = source.train[0]
    number = int(sample.path.rsplit("/", 1)[1].removesuffix(".png"))
    np.testing.assert_array_equal(sample.image, picture(number + 8 * sample.target))


@pytest.mark.parametrize("validation", ["val", "valid", "Validation"])
def test_parts_that_lie_in_folders_are_kept(tmp_path, validation):
    class_folders(tmp_path / "Train", {"a": 4, "b": 3})
    class_folders(tmp_path / validation, {"a": 2, "b": 1}, first=50)
    class_folders(tmp_path / "test", {"b": 2}, first=80)
    source = opened(tmp_path, validation=0.5, test=0.5)
    assert (len(source.train), len(source.validation), len(source.test)) == (7, 3, 2)
    assert set(source.test.targets) == {1}


def test_nested_folders_belong_to_the_top_class_and_hidden_files_are_not_seen(tmp_path):
    class_folders(tmp_path, {"cat": 3, "dog": 3})
    write_picture(tmp_path / "cat" / "siamese" / "deep" / "x.png", 91)
    (tmp_path / "cat" / ".hidden.png").write_bytes(b"no picture")
    (tmp_path / "cat" / "notes.txt").write_text("no picture")
    write_picture(tmp_path / ".cache" / "x.png", 92)
    source = opened(tmp_path)
    assert source.names == ("cat", "dog")
    assert len(source.train) + len(source.validation) == 7


def test_extensions_count_in_any_case(tmp_path):
    class_folders(tmp_path, {"a": 3, "b": 3})
    (tmp_path / "a" / "0.png").rename(tmp_path / "a" / "0.PnG")
    source = opened(tmp_path)
    assert len(source.train) + len(source.validation) == 6


def test_links_and_names_beyond_ascii_are_fine_and_a_circle_of_links_ends(tmp_path):
    class_folders(tmp_path / "there", {"größe": 3, "猫": 3})
    root = tmp_path / "дом"
    root.mkdir()
    for name in ("größe", "猫"):
        (root / name).symlink_to(tmp_path / "there" / name, target_is_directory=True)
    (tmp_path / "there" / "猫" / "again").symlink_to(root / "猫", target_is_directory=True)
    source = opened(root)
    assert source.names == ("größe", "猫")
    assert len(source.train) + len(source.validation) == 6
    assert source.train[0].image.shape == (12, 16, 3)


def test_empty_class_folders_and_loose_pictures_are_said(tmp_path):
    class_folders(tmp_path, {"a": 3, "b": 3})
    (tmp_path / "c").mkdir()
    write_picture(tmp_path / "loose.png", 9)
    source = opened(tmp_path)
    assert source.names == ("a", "b")
    assert any("no pictures in c" in note for note in source.notes)
    assert any("1 pictures lie outside" in note for note in source.notes)


def test_grey_pictures_are_read_with_one_channel_and_said(tmp_path):
    for i in range(12):
        write_picture(tmp_path / "ab"[i % 2] / f"{i}.png", picture(i, channels=1))
    source = opened(tmp_path)
    assert source.channels == 1
    assert source.train[0].image.shape == (12, 16, 1)
    assert any("grey" in note for note in source.notes)


def test_typical_size_is_the_median(tmp_path):
    for i, side in enumerate((10, 20, 20, 30, 30, 30, 40)):
        write_picture(tmp_path / "ab"[i % 2] / f"{i}.png", picture(i, height=side, width=2 * side))
    source = opened(tmp_path, validation=0)
    assert source.typical_size == (30, 60)
    assert not source.uniform


def test_the_natural_order_has_no_ties_and_needs_no_numbers():
    names = ["b", "a10", "a2", "A2", "a02", "10", "9", ""]
    assert sorted(names, key=natural_key) == ["", "9", "10", "A2", "a02", "a2", "a10", "b"]


def test_pictures_of_a_folder_come_in_natural_order(tmp_path):
    for name in ("10.png", "9.png", "sub/1.png"):
        write_picture(tmp_path / name, 1)
    assert [path[len(str(tmp_path)) + 1 :] for path in pictures_under(tmp_path)] == ["9.png", "10.png", "sub/1.png"]


def refusal(path, **values):
    with pytest.raises(DataError) as caught:
        opened(path, **values)
    return str(caught.value)


def test_a_missing_folder_is_named_with_the_nearest_known_set(tmp_path):
    assert "nothing at" in refusal(tmp_path / "nowhere")
    assert "'cifar10'" in refusal("cifar-10")


def test_an_empty_folder_is_said(tmp_path):
    assert "holds no pictures" in refusal(tmp_path)


def test_pictures_without_class_folders_are_said(tmp_path):
    write_picture(tmp_path / "1.png", 1)
    assert "no class folders" in refusal(tmp_path)


def test_one_class_is_refused_by_name(tmp_path):
    class_folders(tmp_path, {"only": 5})
    assert "one class only, 'only'" in refusal(tmp_path)


def test_a_class_that_training_lacks_is_named(tmp_path):
    class_folders(tmp_path / "train", {"a": 3, "b": 3})
    class_folders(tmp_path / "val", {"a": 1, "stranger": 1})
    assert "stranger" in refusal(tmp_path)


def test_two_folders_for_one_part_are_refused(tmp_path):
    class_folders(tmp_path / "train", {"a": 3, "b": 3})
    class_folders(tmp_path / "val", {"a": 1})
    class_folders(tmp_path / "valid", {"a": 1})
    assert "two folders for validation" in refusal(tmp_path)


def test_a_class_with_one_picture_trains_and_is_said(tmp_path):
    class_folders(tmp_path, {"many": 20, "single": 1})
    source = opened(tmp_path, validation=0.3)
    assert 1 in source.train.targets
    assert 1 not in source.validation.targets
    assert any("single" in note and "in training only" in note for note in source.notes)


def test_a_folder_in_which_nothing_can_be_read_is_refused(tmp_path):
    for name in "ab":
        for i in range(3):
            (tmp_path / name).mkdir(exist_ok=True)
            (tmp_path / name / f"{i}.png").write_bytes(b"not a picture")
    assert "None of the pictures" in refusal(tmp_path)


def test_a_file_that_is_no_table_is_refused(tmp_path):
    assert "no CSV" in refusal(write_picture(tmp_path / "x.png", 1))
