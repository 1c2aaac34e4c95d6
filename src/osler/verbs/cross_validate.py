"""k-fold cross-validation: k runs, each validated on another part of the training pictures, and their mean."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from osler.structures.files import write_text
from osler.training.recipe_file import read_recipe
from osler.training.run_folder import RunFolder
from osler.verbs.announcing import console_for
from osler.verbs.run import Run
from osler.verbs.train import train


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
    resolved = read_recipe(recipe, overrides)
    folds = resolved.recipe.data.folds
    parent = Path(out) if out is not None else RunFolder.create(None, "folds").path
    console = console_for(quiet)
    runs = []
    for fold in range(folds):
        console.print(f"\n[bold]fold {fold + 1} of {folds}[/]")
        words = [*overrides, f"data.fold={fold}"]
        runs.append(train(recipe, out=parent / f"fold-{fold + 1}", overrides=words, quiet=quiet, **wishes))
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
