"""The store of a run: metrics by update and by epoch, events and facts, in one SQLite file that a kill cannot break."""

import json
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from osler.structures.errors import TrainingError
from osler.structures.files import disk_full, disk_is_full

TABLES = """
CREATE TABLE IF NOT EXISTS updates (number INTEGER, name TEXT, value REAL, PRIMARY KEY (number, name)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS epochs (epoch INTEGER, name TEXT, value REAL, PRIMARY KEY (epoch, name)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS events (time REAL, kind TEXT, text TEXT);
CREATE TABLE IF NOT EXISTS facts (key TEXT PRIMARY KEY, value TEXT);
"""


class Store:
    """Metrics of a run. Names are dotted: `train.loss`, `validation.accuracy`, `lr`, `seconds`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._sentences():
            self._db = sqlite3.connect(path, timeout=30, check_same_thread=False)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=NORMAL")
            self._db.executescript(TABLES)

    @contextmanager
    def _sentences(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.DatabaseError as error:
            if "full" in str(error) or disk_is_full(error, self.path.parent):
                raise disk_full(self.path) from None
            raise TrainingError(f"The run's store {self.path} cannot be written or read: {error}.") from None

    def add_updates(self, first: int, columns: Mapping[str, Iterable[float]]) -> None:
        """Values of consecutive updates, by name; NaN: the update had none."""
        rows = [
            (first + i, name, value)
            for name, values in columns.items()
            for i, value in enumerate(values)
            if value == value
        ]
        with self._sentences():
            self._db.executemany("INSERT OR REPLACE INTO updates VALUES (?, ?, ?)", rows)

    def add_epoch(self, epoch: int, values: Mapping[str, float]) -> None:
        """Values of an epoch, by name."""
        with self._sentences():
            self._db.executemany(
                "INSERT OR REPLACE INTO epochs VALUES (?, ?, ?)", [(epoch, n, float(v)) for n, v in values.items()]
            )

    def add_event(self, kind: str, text: str) -> None:
        """Something that happened: started, resumed, stopped, memory, skipped."""
        with self._sentences(), self._db:
            self._db.execute("INSERT INTO events VALUES (?, ?, ?)", (time.time(), kind, text))

    def set_fact(self, key: str, value: Any) -> None:
        """A plain value that describes the run as a whole."""
        with self._sentences(), self._db:
            self._db.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (key, json.dumps(value)))

    def commit(self) -> None:
        """Makes all that was added durable."""
        with self._sentences():
            self._db.commit()

    def drop_after(self, update: int, epoch: int) -> None:
        """Removes what a killed run wrote beyond its checkpoint."""
        with self._sentences(), self._db:
            self._db.execute("DELETE FROM updates WHERE number > ?", (update,))
            self._db.execute("DELETE FROM epochs WHERE epoch > ?", (epoch,))

    def epochs(self) -> list[dict[str, float]]:
        """A dictionary an epoch, in order, each with its `epoch`."""
        table: dict[int, dict[str, float]] = {}
        with self._sentences():
            for epoch, name, value in self._db.execute("SELECT epoch, name, value FROM epochs ORDER BY epoch"):
                table.setdefault(epoch, {"epoch": epoch})[name] = float("nan") if value is None else value
        return list(table.values())

    def updates(self, name: str) -> tuple[list[int], list[float]]:
        """Numbers and values of the updates that recorded `name`."""
        with self._sentences():
            rows = self._db.execute(
                "SELECT number, value FROM updates WHERE name = ? ORDER BY number", (name,)
            ).fetchall()
        return [r[0] for r in rows], [r[1] for r in rows]

    def update_names(self) -> list[str]:
        """What was recorded by update."""
        with self._sentences():
            return [r[0] for r in self._db.execute("SELECT DISTINCT name FROM updates ORDER BY name")]

    def events(self) -> list[tuple[float, str, str]]:
        """Time (seconds since 1970), kind and text of what happened, in order."""
        with self._sentences():
            return list(self._db.execute("SELECT time, kind, text FROM events ORDER BY rowid"))

    def fact(self, key: str, default: Any = None) -> Any:
        """A plain value that describes the run, or `default`."""
        with self._sentences():
            row = self._db.execute("SELECT value FROM facts WHERE key = ?", (key,)).fetchone()
        return json.loads(row[0]) if row else default

    def close(self) -> None:
        """Commits and closes."""
        with self._sentences():
            self._db.commit()
            self._db.close()
