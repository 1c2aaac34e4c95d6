"""k-fold cross-validation: k runs, each validated on another part of the training pictures, and their mean."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from osler.structures.errors import RecipeError
from osler.structures.files import write_text
from osler.training.recipe_file import read_recipe
from osler.training.run_folder import RunFolder
from osler.verbs.announcing import console_for
from osler.verbs.run import Run
from osler.verbs.train import train

PASSED_ON = ("data", "model", "loss", "task", "observers")  # what `train` takes beside the recipe's values


@dataclass(frozen=True, slots=True)
class CrossValidation:
    """The runs of all folds, and mean and standard deviation of each validation metric over them.

    Where a signal stopped it, the last run is the one that it stopped, and the numbers are those of the folds before.
    """

    runs: tuple[Run, ...]
    means: dict[str, float]
    spreads: dict[str, float]  # NaN for a single fold
    path: Path

    @property
    def stopped_by(self) -> str:
        """What ended the last run: "Ctrl-C" and "SIGTERM" ended the cross-validation with it."""
        return self.runs[-1].stopped_by


def cross_validate(
    recipe: str | Path | None = None,
    *,
    out: str | Path | None = None,
    overrides: Sequence[str] = (),
    quiet: bool = False,
    **wishes: Any,
) -> CrossValidation:
    """Trains once for each of `data.folds` parts of the training pictures, which is then validated upon.

    Takes what `train` takes; every fold is a run of its own under one folder, with `folds.json` beside them. Ctrl-C and SIGTERM
    end it with the run at hand; `folds.json` is then not written.

    Raises:
        OslerError: as for `train`; and RecipeError where there are fewer than two folds.
    """
    values = {k: v for k, v in wishes.items() if k not in PASSED_ON}
    folds = read_recipe(recipe, overrides, values).recipe.data.folds
    if folds < 2:
        raise RecipeError(f"data.folds={folds}: cross-validation needs 2 folds or more, such as data.folds=5.")
    parent = RunFolder.create(Path(out) if out is not None else None, "folds")
    console = console_for(quiet)
    runs: list[Run] = []
    try:
        for fold in range(folds):
            console.print(f"\n[bold]fold {fold + 1} of {folds}[/]")
            place = parent.path / f"fold-{fold + 1}"
            runs.append(train(recipe, out=place, overrides=overrides, quiet=quiet, **{**wishes, "data.fold": fold}))
            if runs[-1].interrupted:
                break
    finally:
        parent.remove_empty()
    validations = [run.facts()["validation"] for run in runs if not run.interrupted]
    means, spreads = _over_folds(validations)
    if len(validations) == folds:
        summary = {"folds": validations, "mean": means, "std": spreads}
        write_text(parent.path / "folds.json", json.dumps(summary, indent=2) + "\n")
    if validations:
        numbers = "  ".join(f"{n} {means[n]:.4f} ± {spreads[n]:.4f}" for n in means)
        console.print(f"\n[bold green]{len(validations)} folds[/]  {numbers}", soft_wrap=True)
    return CrossValidation(tuple(runs), means, spreads, parent.path)


def _over_folds(validations: Sequence[dict[str, float]]) -> tuple[dict[str, float], dict[str, float]]:
    """Mean and standard deviation of each metric; none of them without folds."""
    columns = {name: [v[name] for v in validations] for name in (validations[0] if validations else ())}
    means = {name: mean(values) for name, values in columns.items()}
    return means, {name: stdev(values) if len(values) > 1 else math.nan for name, values in columns.items()}
