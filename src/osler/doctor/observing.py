"""The doctor beside our own training loop: an observer that watches, and at the end tells and keeps what it found."""

import json
from pathlib import Path

from osler.data.source import DataSource
from osler.doctor.diagnosing import diagnose
from osler.doctor.kept import ANSWER, PAGE
from osler.doctor.page import write_page
from osler.doctor.probes import probe
from osler.doctor.recipe_objects import objects_of
from osler.structures.files import write_text
from osler.structures.finding import Diagnosis
from osler.training.observer import Observer
from osler.training.state import Training
from osler.vitals.evidence import Evidence
from osler.vitals.watch import Watch

OF_PLAIN_SAMPLES = frozenset({"label-noise"})  # what neighbours tell only of samples that were not augmented


class DoctorObserver(Observer):
    """Watches a run. Like every observer it changes nothing; it is the most curious of them.

    Args:
        folder: where `doctor.json` and `doctor.html` are written at the end; None keeps the findings here only.
        name: what the diagnosis calls the run.
        source: all of the data, where they are at hand: of objects the whole set tells more than the part trained on.
    """

    def __init__(self, folder: Path | None = None, name: str = "", source: DataSource | None = None) -> None:
        self._folder, self._name, self._source = folder, name, source
        self._watch: Watch | None = None
        self._augmented = False
        self.diagnosis: Diagnosis | None = None
        self.evidence: Evidence | None = None

    def started(self, training: Training) -> None:
        """Begins to watch."""
        self._watch = Watch()
        self._augmented = training.recipe.recipe.data.augment.preset != "none"
        for group in training.groups.values():
            self._watch.know(training.model, group.optimizer)
        self._watch.state.guarded(self._look_at_objects)(self._watch, training)
        self._watch.install()

    def _look_at_objects(self, watch: Watch, training: Training) -> None:
        watch.evidence.objects = objects_of(training, self._source)

    def stopped(self, training: Training) -> None:
        """Diagnoses what was seen."""
        self._conclude()

    def _conclude(self) -> None:
        if self._watch is None or self.diagnosis is not None:
            return
        evidence = self._watch.finish()
        probe(self._watch)
        evidence.script = self._name
        self.evidence, self.diagnosis = evidence, diagnose(evidence)
        if self._augmented:
            self.diagnosis.findings = [f for f in self.diagnosis.findings if f.fault not in OF_PLAIN_SAMPLES]
        if self._folder is not None:
            write_text(self._folder / ANSWER, json.dumps(self.diagnosis.as_json(), indent=2) + "\n")
            write_page(self.diagnosis, evidence, self._folder / PAGE)

    def closed(self) -> None:
        """Takes every hook off, also after an error: then what was seen until it is told."""
        if self._watch is not None:
            try:
                if self._watch.state.step:
                    self._conclude()
            finally:
                self._watch.uninstall()
                self._watch = None
