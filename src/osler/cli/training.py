"""The command `osler train` and its short forms."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.syntax import Syntax

from osler.structures.errors import RecipeError
from osler.training.recipe_file import read_recipe, recipe_text

if TYPE_CHECKING:
    from osler.verbs.cross_validate import CrossValidation
    from osler.verbs.run import Run


@dataclass(frozen=True, slots=True)
class Request:
    """What was typed."""

    recipe: str | None
    overrides: list[str]
    out: Path | None
    resume: Path | None
    quiet: bool


def run(request: Request, *, show: bool, try_: bool, overfit: int | None, find_lr: bool, heal: bool) -> None:
    """Calls the one verb that was asked for."""
    asked = {"--show": show, "--try": try_, "--overfit": overfit is not None, "--find-lr": find_lr, "--heal": heal}
    _refuse_contradictions(request, [name for name, on in asked.items() if on])
    if show:
        show_recipe(request)
    elif try_:
        rehearse(request)
    elif overfit is not None:
        learn_by_heart(request, overfit)
    elif find_lr:
        range_test(request)
    elif heal:
        train_healed(request)
    else:
        train(request)


def _refuse_contradictions(request: Request, chosen: list[str]) -> None:
    """Options that exclude one another, and a run's folder for what makes no run."""
    if len(chosen) > 1 or (chosen and request.resume):
        raise RecipeError(
            f"{' and '.join([*chosen, *(['--resume'] if request.resume else [])])} exclude one another: give one."
        )
    if request.out is not None and chosen and chosen not in (["--find-lr"], ["--heal"]):
        raise RecipeError(f"{chosen[0]} keeps nothing, so that --out {request.out} has no meaning: leave it out.")


def train_healed(request: Request) -> None:
    """The training with a recipe that was mended first."""
    from osler.verbs.healing import heal
    from osler.verbs.preparing import Wishes

    heal(Wishes(request.recipe, request.overrides), out=request.out, quiet=request.quiet)


def train(request: Request) -> None:
    """The training itself; 130 or 143 when a signal ended it, so that a script sees it."""
    from osler.verbs.cross_validate import cross_validate
    from osler.verbs.train import resume_run
    from osler.verbs.train import train as train_verb

    if request.resume is not None:
        if request.recipe or request.out:
            raise RecipeError(
                "--resume takes a run, and words such as train.epochs=30; its recipe and folder are its own."
            )
        _leave(resume_run(request.resume, overrides=request.overrides, quiet=request.quiet))
        return
    resolved = read_recipe(request.recipe, request.overrides)
    if resolved.recipe.data.folds and resolved.origin("data.fold").who == "default":
        _leave(cross_validate(request.recipe, overrides=request.overrides, out=request.out, quiet=request.quiet))
        return
    _leave(train_verb(request.recipe, out=request.out, overrides=request.overrides, quiet=request.quiet))


def _leave(run: "Run | CrossValidation") -> None:
    """With the status of a process that a signal ended, where one did."""
    status = {"Ctrl-C": 130, "SIGTERM": 143}.get(run.stopped_by, 0)
    if status:
        sys.exit(status)


def show_recipe(request: Request) -> None:
    """The recipe that would run, automatic choices made."""
    from osler.verbs.preparing import Wishes, prepare

    prepared = prepare(Wishes(request.recipe, request.overrides))
    text = recipe_text(prepared.training.recipe)
    if sys.stdout.isatty():
        Console().print(Syntax(text, "yaml", background_color="default"))
    else:
        print(text, end="")


def rehearse(request: Request) -> None:
    """`--try`."""
    from osler.verbs.preparing import Wishes
    from osler.verbs.rehearsing import try_run

    result = try_run(Wishes(request.recipe, request.overrides))
    console = Console(highlight=False, quiet=request.quiet)
    console.print(
        f"[bold green]It works:[/] one batch went through {', '.join(result.stages)} in {result.seconds:.1f} s. Nothing was kept."
    )


def learn_by_heart(request: Request, samples: int) -> None:
    """`--overfit N`; exit status 1 when the samples were not learned."""
    from osler.verbs.preparing import Wishes
    from osler.verbs.rehearsing import overfit

    if samples < 1:
        raise RecipeError(f"--overfit takes the number of samples to learn by heart, 1 or more; given: {samples}.")
    result = overfit(Wishes(request.recipe, request.overrides), samples)
    colour = "green" if result.learned else "yellow"
    Console(highlight=False, quiet=request.quiet).print(f"[bold {colour}]{result.verdict}[/]")
    if not result.learned:
        sys.exit(1)


def range_test(request: Request) -> None:
    """`--find-lr`."""
    from osler.verbs.finding_lr import find_lr
    from osler.verbs.preparing import Wishes

    plot = request.out or Path("lr.png")
    result = find_lr(Wishes(request.recipe, request.overrides), plot=plot)
    console = Console(highlight=False, quiet=request.quiet)
    for lr, loss in list(zip(result.lrs, result.smoothed, strict=False))[:: max(1, len(result.lrs) // 15)]:
        console.print(f"lr {lr:9.2e}   loss {loss:.4f}")
    console.print(f"[bold green]train.lr={result.suggestion:.2g}[/]  {result.reason}")
    console.print(f"Drawn in {plot}")
