"""`osler doctor`: what is wrong with a training, theirs or ours, with the evidence."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from osler.structures.finding import Diagnosis, Finding
from osler.structures.healing import Healing

if TYPE_CHECKING:
    from torch import nn
    from torch.optim import Optimizer

    from osler.data.source import DataSource
    from osler.vitals.evidence import Evidence

SHARE = 4  # the part of a budget that the program itself may take, where its remedies are tried as well
SAMPLES_BEFORE = 512  # on which a recipe is tried
TOO_SHORT = frozenset({"too-few-samples", "batch-too-large", "scheduler-misused", "plateau", "learning-rate-too-low"})


@dataclass(slots=True)
class Examination:
    """A diagnosis and what it rests on."""

    diagnosis: Diagnosis
    evidence: "Evidence"
    exit_code: int = 0  # of the script
    healing: Healing | None = None  # where remedies for a recipe were tried

    @property
    def findings(self) -> list[Finding]:
        """Causes first, the gravest first."""
        return self.diagnosis.findings

    def save_page(self, path: str | Path) -> Path:
        """Writes the findings with heat maps of all layers over time, as one page that needs nothing else."""
        from osler.doctor.page import write_page

        return write_page(self.diagnosis, self.evidence, Path(path))

    def __str__(self) -> str:
        from io import StringIO

        from rich.console import Console

        from osler.doctor.terminal import print_diagnosis

        text = StringIO()
        print_diagnosis(self.diagnosis, Console(file=text, width=100))
        return text.getvalue()


def examine(
    script: str | Path,
    arguments: Sequence[str] = (),
    *,
    budget: float | None = None,
    prove: bool = False,
    say: Callable[[str], None] = lambda text: None,
) -> Examination:
    """Runs a training script, unmodified, in this process, and says what is wrong with it.

    Args:
        script: a Python file. It is not changed; what it prints is passed through.
        arguments: its command line.
        budget: seconds after which it is stopped, and with `prove` after which the trials are over as well; None: it
            runs to its end, and trials take at most nine times its own time.
        prove: try the remedies as well, in copies of the script's folder, each beside the program as it is. The diagnosis
            then holds the proofs and one diff.
        say: told what is tried.

    Raises:
        OSError: the file cannot be read.
    """
    from osler.doctor.examining import examine_script

    began = time.perf_counter()
    first = budget / SHARE if budget is not None and prove else budget
    diagnosis, run = examine_script(script, arguments, budget=first)
    if prove and diagnosis.sick and run.evidence.ending.how != "interrupted":
        from osler.doctor.case import Case
        from osler.doctor.mending.proving import prove as prove_remedies
        from osler.doctor.script_reading import ScriptReading

        left = None if budget is None else budget - (time.perf_counter() - began)
        case = Case(run.evidence, ScriptReading(run.evidence.source, run.evidence.script))
        diagnosis = prove_remedies(diagnosis, case, Path(script), arguments, budget=left, say=say)
    return Examination(diagnosis, run.evidence, run.exit_code)


@dataclass(slots=True)
class Watched:
    """What `osler.watch` gives: the findings, once the `with` has ended, or when asked for in between."""

    _finish: Any = None
    _examination: Examination | None = field(default=None)

    @property
    def examination(self) -> Examination:
        """The whole, from all that was seen until now."""
        return self._examination if self._examination is not None else self._finish()

    @property
    def diagnosis(self) -> Diagnosis:
        """The diagnosis."""
        return self.examination.diagnosis

    @property
    def findings(self) -> list[Finding]:
        """The findings, causes first."""
        return self.examination.findings


@contextmanager
def watch(model: "nn.Module | None" = None, optimizer: "Optimizer | None" = None) -> Iterator[Watched]:
    """Watches any training loop inside of the `with`.

        with osler.watch(model, optimizer) as doctor:
            ...
        doctor.findings

    Args:
        model: the network, so that it is known by its own layers from the start; what else is called is seen as well.
        optimizer: likewise.

    Losses and weights come out the same, bit for bit, as without it. Watches cannot stand inside one another.
    """
    from osler.doctor.diagnosing import diagnose
    from osler.doctor.probes import probe
    from osler.vitals.watch import Watch

    watching = Watch()
    if model is not None:
        watching.know(model, optimizer)

    def finish() -> Examination:
        evidence = watching.finish()
        probe(watching)
        return Examination(diagnose(evidence), evidence)

    watched = Watched(finish)
    watching.install()
    try:
        yield watched
    finally:
        watched._examination = finish()
        watching.uninstall()


def examine_run(path: str | Path) -> Examination:
    """What was wrong with a finished run of ours: what its doctor kept, or what its curves tell if it ran without.

    Raises:
        NoRunError: there is no run.
    """
    from contextlib import closing

    from osler.doctor.diagnosing import diagnose
    from osler.doctor.kept import kept_diagnosis
    from osler.doctor.run_evidence import evidence_of
    from osler.training.run_folder import RunFolder

    folder = RunFolder.existing(path)
    with closing(folder.store()) as store:
        evidence = evidence_of(store, str(folder.path))
    kept = kept_diagnosis(folder.path)
    return Examination(kept if kept is not None else diagnose(evidence), evidence)


def examine_recipe(words: Sequence[str]) -> Examination:
    """What is wrong before anything is trained: some updates on a part of the data, nothing kept.

    Args:
        words: `key=value` words as for `osler train`, such as data=photos model=resnet18.

    Raises:
        OslerError: what a training with these words would raise.
    """
    from osler.data.selecting import few
    from osler.doctor.fault import all_checks
    from osler.doctor.observing import DoctorObserver
    from osler.training.loop import fit
    from osler.verbs.preparing import Wishes, prepare

    wishes = Wishes(overrides=words, last=("train.epochs=1", "train.workers=0"))
    whole: list[DataSource] = []

    def some(source: "DataSource") -> "DataSource":
        whole.append(source)
        return few(source, SAMPLES_BEFORE)

    prepared = prepare(wishes, some)
    observer = DoctorObserver(None, " ".join(words), whole[0])
    fit(prepared.training, [observer])
    assert observer.diagnosis is not None
    assert observer.evidence is not None
    after = {name for name, check in all_checks().items() if check.fault.phase == "after"}
    diagnosis = observer.diagnosis  # a few updates say nothing of how a training ends
    diagnosis.findings = [f for f in diagnosis.findings if f.fault not in after | TOO_SHORT]
    return Examination(diagnosis, observer.evidence)
