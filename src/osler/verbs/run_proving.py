"""`osler doctor RUN --prove`: remedies for a recipe, tried beside it in short trainings; the run's folder is only read."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from osler.structures.errors import RecipeError
from osler.structures.finding import Diagnosis, Finding, Proof, Remedy
from osler.structures.healing import Healing, TriedChange
from osler.training.recipe_file import write_recipe
from osler.training.run_folder import RunFolder
from osler.verbs.doctor import Examination, examine_run
from osler.verbs.preparing import Wishes, prepare
from osler.verbs.recipe_trials import Mending, mend, on_record, words_of

Say = Callable[[str], None]


def prove_run(
    path: str | Path,
    *,
    budget: float | None = None,
    save: str | Path | None = None,
    say: Say = lambda text: None,
) -> Examination:
    """What was wrong with a finished run, and what short trials of its recipe show to help.

    The run's recipe and the remedied ones start from the same seed, with the same part of the data for the same epochs.

    Args:
        path: the run's folder. It is read, and not changed.
        budget: seconds after which no further trial begins.
        save: where the healed recipe is written, for `osler train`; None: nowhere.
        say: told what is tried.

    Raises:
        OslerError: there is no run, its data is not there any more, or `save` cannot be written.
    """
    folder = RunFolder.existing(path)
    _refuse_place(save)
    examination = examine_run(path)
    proven = prove_recipe(Wishes(folder.recipe_path), known=examination.diagnosis, budget=budget, save=save, say=say)
    return replace(proven, evidence=examination.evidence)


def prove_words(
    words: Sequence[str], *, budget: float | None = None, save: str | Path | None = None, say: Say = lambda text: None
) -> Examination:
    """As `prove_run`, for `key=value` words of a recipe of which nothing was trained.

    Raises:
        OslerError: as for `osler train`, or `save` cannot be written.
    """
    from osler.verbs.doctor import examine_recipe

    _refuse_place(save)
    examination = examine_recipe(words)
    proven = prove_recipe(Wishes(overrides=words), known=examination.diagnosis, budget=budget, save=save, say=say)
    return replace(proven, evidence=examination.evidence)


def prove_recipe(
    wishes: Wishes, *, known: Diagnosis, budget: float | None, save: str | Path | None, say: Say
) -> Examination:
    """The diagnosis with what each change brought at its finding, and the changes that helped."""
    from osler.vitals.evidence import Evidence

    until = time.perf_counter() + budget if budget is not None else float("inf")
    mending = mend(
        wishes,
        known=known,
        say=say,
        tell=lambda tried: say(f"  {tried.key}: {tried.outcome}"),
        spent=lambda: time.perf_counter() > until,
    )
    saved = _save(wishes, mending, Path(save)) if save is not None and mending.kept else None
    name, before, _ = mending.before.score("")
    healing = Healing(dict(mending.words), name, before, mending.after.score("")[1], saved, mending.stopped)
    return Examination(with_proofs(known, mending), Evidence(), healing=healing)


def with_proofs(known: Diagnosis, mending: Mending) -> Diagnosis:
    """The diagnosis, the findings of the trials among its own, each with what was tried against it first."""
    findings = list(known.findings)
    there = {f.fault for f in _all(findings)}
    tried_for = {each.fault for each in mending.tried}
    new = {f.fault: f for f in mending.before.findings}
    for each in mending.tried:
        if each.fault not in there:
            there.add(each.fault)
            findings.append(new.get(each.fault) or Finding(each.fault, "warning", each.evidence))
    return replace(known, findings=[_with_proofs(f, mending.tried) if tried_for else f for f in findings])


def _all(findings: Sequence[Finding]) -> list[Finding]:
    return [each for f in findings for each in (f, *_all(f.consequences))]


def _with_proofs(finding: Finding, tried: Sequence[TriedChange]) -> Finding:
    own = sorted((each for each in tried if each.fault == finding.fault), key=lambda each: not each.kept)
    remedies = [_remedy(each) for each in own]
    consequences = tuple(_with_proofs(each, tried) for each in finding.consequences)
    return replace(finding, remedies=(*remedies, *finding.remedies), consequences=consequences)


def _remedy(tried: TriedChange) -> Remedy:
    change = f"Set {tried.key} to {tried.after} in place of {tried.before}."
    if tried.problem:
        return Remedy(tried.key, f"{change} Tried: {tried.problem}")
    if not tried.kept:
        change += " Tried: it did not help."
    return Remedy(tried.key, change, Proof(tried.metric, tried.score_before, tried.score_after, tried.steps))


def _refuse_place(save: str | Path | None) -> None:
    """A place that is taken is refused before hours are spent."""
    if save is not None and Path(save).exists():
        raise RecipeError(f"{save} is there already: give --save another name, or move it away.")


def _save(wishes: Wishes, mending: Mending, path: Path) -> Path:
    """The healed recipe as a file, with the reason of each change."""
    prepared = prepare(replace(wishes, last=(*wishes.last, *words_of(mending.words))))
    write_recipe(on_record(prepared.training.recipe, mending.kept), path)
    return path
