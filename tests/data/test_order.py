from itertools import chain

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from osler.data.order import Order, balanced_rows, earlier_draws
from osler.structures.errors import DataError

sizes = st.integers(1, 60)


def orders(n, world, **values):
    """The orders of all processes."""
    values = {"kind": "shuffle", "batch_size": 4, "seed": 0} | values
    return [Order(np.arange(n) % 3, rank=rank, world=world, **values) for rank in range(world)]


def batches(order, epoch=0, start=0):
    return [key.rows for key in order.batches(epoch, start)]


@given(sizes, st.integers(1, 9), st.integers(0, 5), st.integers(-5, 99))
def test_a_shuffled_epoch_is_every_sample_once(n, batch_size, epoch, seed):
    (order,) = orders(n, 1, batch_size=batch_size, seed=seed)
    found = batches(order, epoch)
    assert len(found) == len(order)
    assert sorted(chain(*found)) == list(range(n))
    assert all(len(batch) == batch_size for batch in found[:-1])
    assert n == 1 or batch_size == 1 or all(len(batch) > 1 for batch in found), "batch norm has no variance over one"


@given(sizes, st.integers(1, 9), st.integers(1, 4))
def test_evaluation_sees_every_sample_exactly_once_over_all_processes(n, batch_size, world):
    found = [batches(order) for order in orders(n, world, kind="sequential", batch_size=batch_size)]
    assert sorted(chain(*chain(*found))) == list(range(n))
    assert max(map(len, found)) - min(map(len, found)) <= 1
    assert [len(o) for o in orders(n, world, kind="sequential", batch_size=batch_size)] == list(map(len, found))


@given(sizes, st.integers(1, 9), st.integers(1, 4), st.sampled_from(["shuffle", "balanced"]), st.booleans())
def test_batches_of_all_processes_make_the_global_batches(n, batch_size, world, kind, drop_last):
    if n < world:
        return
    many = orders(n, world, kind=kind, batch_size=batch_size, drop_last=drop_last)
    (one,) = orders(n, 1, kind=kind, batch_size=batch_size * world, drop_last=drop_last)
    found, whole = [batches(order, 3) for order in many], batches(one, 3)
    assert len({len(f) for f in found}) == 1  # no process waits for another for ever
    assert len(whole) - len(found[0]) in (0, 1)
    last = len(found[0]) - 1
    for k in range(last + 1):
        assert all(f[k] for f in found)
        mine, theirs = sorted(chain(*(f[k] for f in found))), sorted(whole[k])
        assert mine == theirs or k == last, "a remainder too small for every process joins the last batch"
    left_out = sum(map(len, whole)) - sum(len(batch) for f in found for batch in f)
    assert 0 <= left_out < world


def test_the_order_changes_by_epoch_and_seed_and_repeats():
    (order,) = orders(50, 1)
    assert batches(order, 1) == batches(order, 1)
    assert batches(order, 1) != batches(order, 2)
    assert batches(order, 1) != batches(orders(50, 1, seed=1)[0], 1)


@given(st.integers(0, 12))
def test_an_epoch_goes_on_where_it_was(start):
    (order,) = orders(40, 1)
    assert batches(order, 2, start) == batches(order, 2)[start:]


def test_the_smaller_last_batch_is_dropped_where_wanted_unless_it_is_all():
    assert [len(b) for b in batches(orders(10, 1, drop_last=True)[0])] == [4, 4]
    assert [len(b) for b in batches(orders(3, 1, drop_last=True)[0])] == [3]


@given(st.lists(st.integers(0, 5), min_size=1, max_size=80), st.integers(0, 99))
def test_balanced_draws_every_class_equally_often(targets, seed):
    targets = np.array(targets)
    rows = balanced_rows(targets, np.random.default_rng(seed))
    assert len(rows) == len(targets)
    counts = np.bincount(targets[rows])[np.unique(targets)]
    assert counts.max() - counts.min() <= 1


def test_balanced_draws_all_members_of_a_class_in_time():
    (order,) = orders(30, 1, kind="balanced")
    assert {row for epoch in range(20) for batch in batches(order, epoch) for row in batch} == set(range(30))


@given(st.lists(st.integers(0, 9), min_size=1, max_size=50))
def test_earlier_draws_are_counted(rows):
    expected = [rows[:i].count(row) for i, row in enumerate(rows)]
    assert earlier_draws(np.array(rows)).tolist() == expected


def test_balanced_needs_one_class_a_picture():
    with pytest.raises(DataError, match="one class a picture"):
        Order(np.zeros((5, 2), np.uint8), "balanced", 2, 0)


def test_more_processes_than_pictures_are_refused():
    with pytest.raises(DataError, match="fewer than the 4 processes"):
        orders(3, 4)
