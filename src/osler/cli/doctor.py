"""The commands `osler doctor` and `osler explain`."""

import json
import re
from dataclasses import dataclass
from pathlib import Path

from osler.structures.errors import RecipeError
from osler.structures.files import write_text

UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}


@dataclass(frozen=True, slots=True)
class Wanted:
    """How the answer is wanted."""

    json_file: Path | None
    page: Path | None
    budget: str | None
    prove: bool
    quiet: bool


def run(target: str, words: list[str], wanted: Wanted) -> int:
    """Examines the target, shows the answer, and returns the exit status: 0 healthy, 1 sick."""
    if target.endswith(".py"):
        if not Path(target).is_file():
            raise RecipeError(f"There is no script {target}.")
        from osler.verbs.doctor import examine

        say = (lambda text: None) if wanted.quiet else _say
        examination = examine(target, words, budget=_seconds(wanted.budget), prove=wanted.prove, say=say)
    elif "=" in target:
        from osler.verbs.doctor import examine_recipe

        examination = examine_recipe([target, *words])
    elif Path(target).is_dir():
        from osler.verbs.doctor import examine_run

        examination = examine_run(target)
    else:
        raise RecipeError(
            f"{target!r} is neither a script (.py), nor a run's folder, nor words of a recipe such as data=photos."
        )
    diagnosis = examination.diagnosis
    if wanted.json_file is not None:
        write_text(wanted.json_file, json.dumps(diagnosis.as_json(), indent=2) + "\n")
    if wanted.page is not None:
        examination.save_page(wanted.page)
    if not wanted.quiet:
        from rich.console import Console

        from osler.doctor.terminal import print_diagnosis

        print_diagnosis(diagnosis, Console(highlight=False))
    return int(diagnosis.sick)


def _say(text: str) -> None:
    import sys

    print(f"trying  {text}", file=sys.stderr)


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
