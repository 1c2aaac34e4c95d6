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
    """The runs of all folds, and mean and standard deviation of each validation metric over them."""

    runs: tuple[Run, ...]
    means: dict[str, float]
    spreads: dict[str, float]
    path: Path


def cross_validate(
    recipe: str | Path | None = None,
    *,
    out: str | Path | None = None,
    overrides: Sequence[str] = (),
    quiet: bool = False,
    **wishes: Any,
) -> CrossValidation:
    """Trains once for each of `data.folds` parts of the training pictures, which is then validated upon.

    Takes what `train` takes; every fold is a run of its own under one folder, with `folds.json` beside them.
    """
    values = {k: v for k, v in wishes.items() if k not in PASSED_ON}
    folds = read_recipe(recipe, overrides, values).recipe.data.folds
    if folds < 2:
        raise RecipeError(f"data.folds={folds}: cross-validation needs 2 folds or more, such as data.folds=5.")
    parent = Path(out) if out is not None else RunFolder.create(None, "folds").path
    console = console_for(quiet)
    runs = []
    with RunFolder(parent).removed_unless_begun():
        for fold in range(folds):
            console.print(f"\n[bold]fold {fold + 1} of {folds}[/]")
            place = parent / f"fold-{fold + 1}"
            runs.append(train(recipe, out=place, overrides=overrides, quiet=quiet, **{**wishes, "data.fold": fold}))
    validations = [run.facts()["validation"] for run in runs]
    means = {name: mean(v[name] for v in validations) for name in validations[0]}
    spreads = {name: stdev([v[name] for v in validations]) if folds > 1 else math.nan for name in means}
    write_text(
        parent / "folds.json", json.dumps({"folds": validations, "mean": means, "std": spreads}, indent=2) + "\n"
    )
    console.print(
        f"\n[bold green]{folds} folds[/]  " + "  ".join(f"{n} {means[n]:.4f} ± {spreads[n]:.4f}" for n in means),
        soft_wrap=True,
    )
    return CrossValidation(tuple(runs), means, spreads, parent)
