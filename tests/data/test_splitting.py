import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from osler.data.opening import open_data
from osler.data.recipe import DataSection
from osler.data.splitting import fold_of_each, hold_out, quotas, sample_rows
from osler.structures.errors import DataError, RecipeError

classes = npst.arrays(np.int64, st.integers(2, 120), elements=st.integers(0, 6))
labels = npst.arrays(np.uint8, st.tuples(st.integers(2, 80), st.integers(1, 5)), elements=st.integers(0, 1))
numbers = npst.arrays(np.float32, st.tuples(st.integers(2, 80), st.integers(1, 3)), elements=st.floats(-9, 9, width=32))
seeds = st.integers(-3, 2**31)


@given(classes, st.floats(0.01, 0.9), seeds)
def test_held_out_classes_keep_their_proportions(targets, share, seed):
    kept, held = hold_out(targets, share, seed)
    np.testing.assert_array_equal(np.sort(np.concatenate([kept, held])), np.arange(len(targets)))
    for label, count in zip(*np.unique(targets, return_counts=True), strict=True):
        there = (targets[held] == label).sum()
        assert (there == 0) == (count == 1)  # one picture trains; two or more are in both
        assert there < count
        assert count == 1 or abs(there - np.clip(share * count, 1, count - 1)) <= 1


@given(st.one_of(classes, labels, numbers), st.floats(0.05, 0.6), seeds)
def test_a_split_is_a_partition_and_repeats_by_seed(targets, share, seed):
    kept, held = hold_out(targets, share, seed)
    assert (np.diff(kept) > 0).all()
    assert (np.diff(held) > 0).all()
    assert set(kept.tolist()) | set(held.tolist()) == set(range(len(targets)))
    assert len(kept) + len(held) == len(targets)
    again = hold_out(targets.copy(), share, seed)
    np.testing.assert_array_equal(kept, again[0])
    np.testing.assert_array_equal(held, again[1])


def test_another_seed_gives_another_split():
    targets = np.arange(200) % 4
    assert hold_out(targets, 0.2, 0)[1].tolist() != hold_out(targets, 0.2, 1)[1].tolist()


@given(classes, st.integers(2, 6), seeds)
def test_folds_are_even_in_size_and_in_every_class(targets, folds, seed):
    fold = fold_of_each(targets, folds, seed)
    sizes = np.bincount(fold[fold >= 0], minlength=folds)
    assert sizes.max() - sizes.min() <= 1
    for label, count in zip(*np.unique(targets, return_counts=True), strict=True):
        of_class = fold[targets == label]
        if count == 1:
            assert of_class.tolist() == [-1]  # always trains
        else:
            per_fold = np.bincount(of_class, minlength=folds)
            assert per_fold.max() - per_fold.min() <= 1
            assert per_fold.max() < count  # in training, whichever fold validates


@given(st.one_of(labels, numbers), st.integers(2, 5), seeds)
def test_every_row_validates_in_one_fold_or_always_trains(targets, folds, seed):
    fold = fold_of_each(targets, folds, seed)
    assert fold.shape == (len(targets),)
    assert fold.min() >= -1
    assert fold.max() < folds
    if targets.dtype == np.uint8:
        sole = (targets[:, targets.sum(0) == 1] > 0).any(1)
        np.testing.assert_array_equal(fold == -1, sole)


def test_labels_reach_both_parts_in_their_shares():
    random = np.random.default_rng(0)
    targets = (random.random((1000, 6)) < [0.5, 0.3, 0.1, 0.05, 0.02, 0.002]).astype(np.uint8)
    targets[:2, 5] = 1  # two pictures at the least
    kept, held = hold_out(targets, 0.2, seed=0)
    totals, there = targets.sum(0), targets[held].sum(0)
    assert abs(len(held) - 200) <= 3
    np.testing.assert_array_less(0, there)
    np.testing.assert_array_less(0, targets[kept].sum(0))
    np.testing.assert_allclose(there[:4] / totals[:4], 0.2, atol=0.03)


def test_one_number_is_stratified_by_its_size():
    values = np.random.default_rng(0).exponential(size=(500, 1)).astype(np.float32)
    errors = [abs(np.mean(values[hold_out(values, 0.1, seed)[1]]) - values.mean()) for seed in range(20)]
    plain = [
        abs(np.mean(np.random.default_rng(seed).choice(values[:, 0], 50, replace=False)) - values.mean())
        for seed in range(20)
    ]
    assert np.mean(errors) < 0.7 * np.mean(plain)


@given(st.one_of(classes, labels, numbers), st.integers(1, 130), seeds)
def test_a_limit_takes_that_many_rows(targets, count, seed):
    rows = sample_rows(targets, count, seed)
    assert len(rows) == min(count, len(targets))
    assert (np.diff(rows) > 0).all()
    if targets.ndim == 1 and count >= len(np.unique(targets)):
        assert set(targets[rows]) == set(targets)


@given(st.lists(st.integers(1, 50), min_size=1, max_size=8), st.data())
def test_quotas_share_out_the_total_within_one_of_proportion(counts, data):
    counts = np.array(counts)
    total = data.draw(st.integers(0, int(counts.sum())))
    quota = quotas(counts * total / counts.sum(), total, least=np.zeros_like(counts), most=counts)
    assert quota.sum() == total
    assert (abs(quota - counts * total / counts.sum()) <= 1).all()


def opened(**values):
    return open_data(DataSection(**values), seed=3)


def test_a_source_divides_training_validation_and_test():
    source = opened(validation=0.2, test=0.1)
    assert len(source.test) == 180
    assert len(source.validation) == round(0.2 * 1617)
    assert len(source.train) + len(source.validation) + len(source.test) == 1797
    pixels = [set(part.rows.tolist()) for part in (source.train, source.validation, source.test)]
    assert not pixels[0] & pixels[1] | pixels[0] & pixels[2] | pixels[1] & pixels[2]


def test_folds_validate_every_picture_once():
    validated = [opened(folds=5, fold=k).validation.rows for k in range(5)]
    np.testing.assert_array_equal(np.sort(np.concatenate(validated)), np.arange(1797))
    source = opened(folds=5, fold=2)
    assert len(source.train) + len(source.validation) == 1797


def test_a_limit_thins_training_alone():
    whole, thin = opened(), opened(limit=100)
    assert len(thin.train) == 100
    np.testing.assert_array_equal(whole.validation.rows, thin.validation.rows)
    assert set(thin.train.rows) <= set(whole.train.rows)
    assert set(thin.train.targets) == set(range(10))
    assert any("100 of" in note for note in thin.notes)


def test_nothing_is_held_out_where_nothing_is_asked_for():
    source = opened(validation=0)
    assert (len(source.train), len(source.validation), source.test) == (1797, 0, None)


@pytest.mark.parametrize("values", [{"folds": 1}, {"folds": 5, "fold": 5}, {"folds": 1798}])
def test_impossible_folds_are_refused(values):
    with pytest.raises(RecipeError, match="folds must be 2 to 1797"):
        opened(**values)


def test_names_of_a_trained_model_number_other_data(tmp_path):
    from data_files import class_folders

    class_folders(tmp_path, {"dog": 3})
    section = DataSection(path=str(tmp_path), validation=0)
    source = open_data(section, seed=0, names=("ape", "cat", "dog"))
    assert source.names == ("ape", "cat", "dog")
    assert source.train.targets.tolist() == [2, 2, 2]
    with pytest.raises(DataError, match=r"not known: dog. Known classes: ape, cat"):
        open_data(section, seed=0, names=("ape", "cat"))
