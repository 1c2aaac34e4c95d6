"""The run's store: what is put in comes out, also after a second opening, and nothing of a killed run beyond its checkpoint."""

import math
import sqlite3
from pathlib import Path

import pytest

from osler.structures.errors import TrainingError
from osler.training.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "run.db")


def test_updates_come_back_in_order_with_their_numbers(store: Store) -> None:
    store.add_updates(4, {"train.loss": [0.4, 0.3]})
    store.add_updates(1, {"train.loss": [0.9, 0.8, 0.7], "train.box": [1.0, 2.0, 3.0]})
    assert store.updates("train.loss") == ([1, 2, 3, 4, 5], [0.9, 0.8, 0.7, 0.4, 0.3])
    assert store.updates("train.box") == ([1, 2, 3], [1.0, 2.0, 3.0])
    assert store.update_names() == ["train.box", "train.loss"]
    assert store.updates("never recorded") == ([], [])


def test_an_epoch_is_one_row_whatever_it_holds(store: Store) -> None:
    store.add_epoch(2, {"validation.accuracy": 0.5})
    store.add_epoch(1, {"validation.accuracy": 0.25, "lr": 0.1})
    store.add_epoch(2, {"validation.accuracy": 0.75, "lr": math.nan})
    first, second = store.epochs()
    assert first == {"epoch": 1, "validation.accuracy": 0.25, "lr": 0.1}
    assert (second["epoch"], second["validation.accuracy"]) == (2, 0.75)
    assert math.isnan(second["lr"])


def test_facts_are_plain_values_and_the_last_one_counts(store: Store) -> None:
    store.set_fact("timing", {"whole run": 1.5})
    store.set_fact("timing", {"whole run": 2.5, "list": [1, None]})
    assert store.fact("timing") == {"whole run": 2.5, "list": [1, None]}
    assert store.fact("none") is None
    assert store.fact("none", 7) == 7


def test_events_keep_their_order(store: Store) -> None:
    for kind in ("started", "memory", "stopped"):
        store.add_event(kind, f"it {kind}")
    assert [(k, t) for _, k, t in store.events()] == [
        ("started", "it started"), ("memory", "it memory"), ("stopped", "it stopped")
    ]  # fmt: skip


def test_what_lies_beyond_a_checkpoint_is_dropped(store: Store) -> None:
    store.add_updates(1, {"train.loss": [5.0, 4.0, 3.0, 2.0]})
    for epoch in (1, 2):
        store.add_epoch(epoch, {"lr": 0.1})
    store.drop_after(update=2, epoch=1)
    assert store.updates("train.loss")[0] == [1, 2]
    assert [row["epoch"] for row in store.epochs()] == [1]


def test_what_was_committed_is_there_for_the_next_opening_and_for_a_reader_meanwhile(store: Store) -> None:
    store.add_updates(1, {"train.loss": [1.0]})
    store.commit()
    store.add_updates(2, {"train.loss": [2.0]})
    reader = Store(store.path)
    assert reader.updates("train.loss")[0] == [1]  # the second is not yet durable
    reader.close()
    store.close()
    assert Store(store.path).updates("train.loss")[0] == [1, 2]


def test_a_file_that_is_no_store_is_said_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "run.db").write_bytes(b"this is no database at all" * 100)
    with pytest.raises(TrainingError, match=r"run\.db cannot be written or read"):
        Store(tmp_path / "run.db")


def test_the_store_is_an_ordinary_sqlite_file(store: Store) -> None:
    store.add_epoch(1, {"lr": 0.5})
    store.close()
    database = sqlite3.connect(store.path)
    assert database.execute("SELECT value FROM epochs WHERE name = 'lr'").fetchall() == [(0.5,)]
    database.close()
