"""Observers that write: the run's store, checkpoints, and a CSV file."""

import csv
import io
import time
from pathlib import Path

from osler.structures.files import write_text
from osler.training.artefact import Artefact, save_artefact
from osler.training.checkpoint import save_checkpoint
from osler.training.observer import Epoch, Observer, Updates
from osler.training.recipe_file import write_recipe
from osler.training.run_folder import RunFolder
from osler.training.state import Training
from osler.training.store import Store

# What differs between two equal runs: the clock.
SESSIONS = "sessions"  # fact: seconds of each session of the run until its last checkpoint
TIMINGS = ("seconds", "validation_seconds", "images_per_second")


def epoch_row(epoch: Epoch) -> dict[str, float]:
    """An epoch as dotted names and numbers."""
    row = {f"train.{n}": v for n, v in epoch.train.items()} | {
        f"validation.{n}": v for n, v in epoch.validation.items()
    }
    row |= {"lr": epoch.lr, "updates": epoch.update, "best": float(epoch.best)}
    speed = epoch.samples / epoch.seconds if epoch.seconds else 0.0
    return row | dict(zip(TIMINGS, (epoch.seconds, epoch.validation_seconds, speed), strict=True))


def seconds_before(store: Store) -> float:
    """How long the run had been trained when its present session, which is on record, began."""
    return float(sum(store.fact(SESSIONS, [])[:-1]))


def halved(training: Training) -> str:
    """That the batch became smaller, and why."""
    train, reason = training.recipe.recipe.train, training.recipe.origin("train.batch_size").reason
    return (
        f"{reason} pictures in a batch; it goes on with {train.batch_size}, and {train.accumulate} batches an update."
    )


class Recorder(Observer):
    """Writes every update's losses and every epoch's metrics into the run's store."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.began = 0.0
        self.earlier: list[float] = []  # seconds of the sessions before this one

    def started(self, training: Training) -> None:
        """Removes what a killed run wrote beyond its checkpoint."""
        self.store.drop_after(training.position.update, training.position.epoch)
        self.began, self.earlier = time.perf_counter(), self.store.fact(SESSIONS, [])
        self.store.set_fact(SESSIONS, [*self.earlier, 0.0])

    def updated(self, training: Training, updates: Updates) -> None:
        """Adds the losses; they are durable with the next checkpoint."""
        self.store.add_updates(updates.first, {f"train.{n}": v for n, v in updates.losses.items()})

    def epoch_ended(self, training: Training, epoch: Epoch) -> None:
        """Adds the metrics."""
        self.store.add_epoch(epoch.number, epoch_row(epoch))

    def checkpoint_due(self, training: Training) -> None:
        """Commits, so that the store is never behind the checkpoint that is written next."""
        self.store.set_fact(SESSIONS, [*self.earlier, time.perf_counter() - self.began])
        self.store.commit()

    def batch_halved(self, training: Training) -> None:
        """Says so."""
        self.store.add_event("memory", halved(training))

    def stopped(self, training: Training) -> None:
        """Says why."""
        self.store.add_event("stopped", training.stop or "the last epoch is done")


class Checkpointer(Observer):
    """Writes the last state and the best weights."""

    def __init__(self, folder: RunFolder, artefact: Artefact) -> None:
        self.folder, self.artefact = folder, artefact

    def started(self, training: Training) -> None:
        """Removes what a killed process was in the middle of writing."""
        for stale in (*self.folder.path.glob(".*.part"), *self.folder.last.parent.glob(".*.part")):
            stale.unlink(missing_ok=True)

    def epoch_ended(self, training: Training, epoch: Epoch) -> None:
        """Writes the best weights when this epoch validated best."""
        if not epoch.best:
            return
        self.artefact.facts = {"epoch": epoch.number, "metrics": epoch.validation or epoch.train}
        with training.shipped() as model:
            self.artefact.model = model
            save_artefact(self.artefact, self.folder.best)

    def checkpoint_due(self, training: Training) -> None:
        """Writes the last state, and the recipe in case it changed on the way."""
        write_recipe(training.recipe, self.folder.recipe_path)
        save_checkpoint(training, self.folder.last, names=self.artefact.preprocessing.names)


class CsvLog(Observer):
    """Keeps `metrics.csv` in the run's folder: a row an epoch, a column a metric."""

    def __init__(self, store: Store, path: Path) -> None:
        self.store, self.path = store, path

    def epoch_ended(self, training: Training, epoch: Epoch) -> None:
        """Writes the whole table anew: a resumed run leaves no row twice."""
        write_text(self.path, epochs_csv(self.store.epochs()))


def epochs_csv(rows: list[dict[str, float]]) -> str:
    """The epochs as CSV text, columns in the order of their first appearance."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(
        {n: int(v) if float(v).is_integer() and n in ("epoch", "updates") else v for n, v in r.items()} for r in rows
    )
    return text.getvalue()
