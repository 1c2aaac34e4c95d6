"""A Run as a person holds it: its numbers, its recipe, and what one can do with its model."""

import copy
from contextlib import closing
from pathlib import Path
from typing import Any

from osler.training.artefact import Artefact
from osler.training.building import Given
from osler.training.interruption import SIGNALS
from osler.training.recipe import ResolvedRecipe
from osler.training.run_folder import RunFolder


class Run:
    """A finished (or interrupted) training in its folder.

    >>> run = Run("runs/photos-resnet18-1")                            # doctest: +SKIP
    >>> run.metrics["accuracy"], run.predict("cat.jpg")[0].described   # doctest: +SKIP
    """

    def __init__(self, path: str | Path, *, given: Given | None = None) -> None:
        """Opens the run at `path`.

        Args:
            path: its folder.
            given: what no folder can hold: a module and a task that were passed in Python.

        Raises:
            NoRunError: there is none.
        """
        self.folder = RunFolder.existing(path)
        self._given = given or Given()

    @property
    def path(self) -> Path:
        """The folder."""
        return self.folder.path

    @property
    def report(self) -> Path:
        """The report, one HTML file."""
        return self.folder.report

    @property
    def recipe(self) -> ResolvedRecipe:
        """The resolved recipe, with who set each value."""
        return self.folder.recipe()

    @property
    def metrics(self) -> dict[str, float]:
        """Of the best checkpoint: on the test set where there is one, else on the validation set."""
        facts = self.facts()
        return facts.get("test") or facts.get("validation") or {}

    @property
    def history(self) -> list[dict[str, float]]:
        """A dictionary of dotted names and numbers for each epoch."""
        store = self.folder.store()
        try:
            return store.epochs()
        finally:
            store.close()

    @property
    def stopped_by(self) -> str:
        """What ended the run last: "Ctrl-C", "SIGTERM", lost patience, or that the last epoch is done; "" while it runs."""
        with closing(self.folder.store()) as store:
            said = [text for _, kind, text in store.events() if kind == "stopped"]
        return said[-1] if said else ""

    @property
    def interrupted(self) -> bool:
        """Whether a signal ended the run, so that it can go on."""
        return self.stopped_by in SIGNALS.values()

    def facts(self) -> dict[str, Any]:
        """What is recorded of the run as a whole."""
        store = self.folder.store()
        try:
            return {key: store.fact(key) for key in ("validation", "test", "timing", "environment")}
        finally:
            store.close()

    def artefact(self) -> Artefact:
        """The best weights in their network, with preprocessing and task."""
        from osler.verbs.loading import load_trained

        return load_trained(self.folder.path, **self._own())

    def _own(self) -> dict[str, Any]:
        """A network to fill (a copy: a person may go on with theirs) and the task, where they were passed in Python."""
        return {"model": copy.deepcopy(self._given.model), "task": self._given.task}

    def predict(self, *pictures: str | Path) -> "Any":
        """Answers for pictures, folders or globs: see `osler.predict`."""
        from osler.verbs.predict import predict

        return predict(self.path, *pictures, **self._own())

    def evaluate(self, data: Any = None) -> "Any":
        """The metrics on other data, or on the run's own: see `osler.evaluate`."""
        from osler.verbs.evaluate import evaluate

        return evaluate(self.path, data=data, **self._own())

    def __repr__(self) -> str:
        numbers = ", ".join(f"{n}={v:.4f}" for n, v in list(self.metrics.items())[:3])
        return f"Run({str(self.path)!r}{', ' + numbers if numbers else ''})"
