"""The commands `osler doctor` and `osler explain`."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from osler.structures.errors import RecipeError
from osler.structures.files import write_text

if TYPE_CHECKING:
    from osler.verbs.doctor import Examination

UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}


@dataclass(frozen=True, slots=True)
class Wanted:
    """How the answer is wanted."""

    json_file: Path | None
    page: Path | None
    budget: str | None
    prove: bool
    save: Path | None  # where what was mended is written
    quiet: bool


def run(target: str, words: list[str], wanted: Wanted) -> int:
    """Examines the target, shows the answer, and returns the exit status: 0 healthy, 1 sick."""
    _refuse_place(wanted)
    with _progress(wanted) as say:
        examination = _examination(target, words, wanted, say)
    diagnosis = examination.diagnosis
    if wanted.json_file is not None:
        write_text(wanted.json_file, json.dumps(diagnosis.as_json(), indent=2) + "\n")
    if wanted.page is not None:
        examination.save_page(wanted.page)
    if not wanted.quiet:
        from rich.console import Console

        from osler.doctor.terminal import print_diagnosis

        console = Console(highlight=False)
        print_diagnosis(diagnosis, console)
        if examination.healing is not None:
            from osler.doctor.terminal import print_healing

            print_healing(examination.healing, _recipe_words(target, words), console)
    if wanted.save is not None and diagnosis.mended is not None:
        write_text(wanted.save, diagnosis.mended)
    return int(diagnosis.sick)


def _examination(target: str, words: list[str], wanted: Wanted, say: Callable[[str], None]) -> "Examination":
    """The answer for a script, a recipe's words, or a run."""
    budget, save = _seconds(wanted.budget), wanted.save
    if target.endswith(".py"):
        if not Path(target).is_file():
            raise RecipeError(f"There is no script {target}.")
        from osler.verbs.doctor import examine

        return examine(target, words, budget=budget, prove=wanted.prove, say=say)
    if "=" in target:
        if wanted.prove:
            from osler.verbs.run_proving import prove_words

            return prove_words([target, *words], budget=budget, save=save, say=say)
        from osler.verbs.doctor import examine_recipe

        return examine_recipe([target, *words])
    if not Path(target).is_dir():
        raise RecipeError(
            f"{target!r} is neither a script (.py), nor a run's folder, nor words of a recipe such as data=photos."
        )
    if wanted.prove:
        from osler.verbs.run_proving import prove_run

        return prove_run(target, budget=budget, save=save, say=say)
    from osler.verbs.doctor import examine_run

    return examine_run(target)


def _recipe_words(target: str, words: list[str]) -> list[str]:
    """What stands behind `osler train` to train with the recipe that was examined."""
    return [target, *words] if "=" in target else [str(Path(target) / "recipe.yaml")]


def _refuse_place(wanted: Wanted) -> None:
    """What could not be kept at the end is refused at the start."""
    if wanted.save is None:
        return
    if not wanted.prove:
        raise RecipeError(f"--save {wanted.save} needs --prove: only what was tried is written.")
    if wanted.save.exists():
        raise RecipeError(f"{wanted.save} is there already: give --save another name, or move it away.")


@contextmanager
def _progress(wanted: Wanted) -> Iterator[Callable[[str], None]]:
    """Says what is tried: a line that is kept for each, and the seconds of the present one where a terminal is."""
    if wanted.quiet or not wanted.prove:
        yield lambda text: None
        return
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

    console = Console(stderr=True, highlight=False)
    columns = SpinnerColumn(), TextColumn("[dim]proving[/]"), TimeElapsedColumn()
    with Progress(*columns, console=console, transient=True, redirect_stdout=False) as progress:
        tasks: list[TaskID] = []

        def say(text: str) -> None:
            if not tasks:  # the spinner begins after the script's own output
                tasks.append(progress.add_task("proving"))
            console.print(f"trying  {text}", markup=False)

        yield say


def explain(fault: str) -> None:
    """A fault's page, or the list of all."""
    from rich.console import Console
    from rich.markdown import Markdown
    from rich.table import Table

    from osler.doctor.explaining import fault_named, fault_page
    from osler.doctor.fault import all_checks

    console = Console(highlight=False)
    if fault:
        console.print(Markdown(fault_page(fault_named(fault))))
        return
    table = Table("fault", "category", "what it is", title="osler explain FAULT tells more", title_justify="left")
    for name, check in all_checks().items():
        table.add_row(name, check.fault.category, check.fault.title)
    console.print(table)


def _seconds(text: str | None) -> float | None:
    if text is None:
        return None
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(s|m|min|h|)", text.strip())
    if found is None or float(found[1]) <= 0:
        raise RecipeError(f"--budget {text} is no time. Write 60s, 5m or 1h.")
    return float(found[1]) * UNITS[found[2]]
