"""`osler train --heal`: tries the recipe on a part of the data, mends what the doctor finds, and then trains for good."""

from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from osler.structures.healing import TriedChange
from osler.verbs.announcing import HEADS, console_for
from osler.verbs.preparing import Wishes, prepare
from osler.verbs.recipe_trials import Mending, mend, on_record, words_of
from osler.verbs.run import Run
from osler.verbs.train import train_prepared


def heal(wishes: Wishes, *, out: str | Path | None = None, quiet: bool = False) -> Run:
    """Trains with the recipe, after mending what the doctor finds in short trials on a part of the data.

    Each trial has the doctor beside it. A finding that a key of the recipe can mend changes that key, also where the
    person set it, and the next trial starts anew; what does not make the figure better is taken back. The run's recipe is
    the healed one, with the reason at each change, and its report tells what was found, what was changed, and what it
    brought.

    Raises:
        OslerError: as for `train`.
    """
    console = console_for(quiet)
    with console.status("") as status:
        mending = mend(
            wishes,
            say=lambda text: status.update(f"trying  {text}"),
            tell=lambda tried: tell(console, tried),
        )
    if mending.interrupted:
        raise KeyboardInterrupt
    conclude(console, mending)
    prepared = prepare(replace(wishes, last=(*wishes.last, *words_of(mending.words))))
    prepared.training.recipe = on_record(prepared.training.recipe, mending.kept)
    run = train_prepared(prepared, out=out, quiet=quiet, healing=mending.tried)
    if mending.kept:
        say(
            console,
            "healed",
            f"{run.folder.recipe_path}: the recipe to use again, osler train {run.folder.recipe_path}",
        )
    return run


def tell(console: Console, tried: TriedChange) -> None:
    """A change and what it brought, when it has been tried."""
    say(console, "found", f"{tried.fault}: {tried.evidence}", "bold yellow")
    head, style = ("healed", "bold green") if tried.kept else ("tried", "dim")
    say(console, head, f"{tried.key}={tried.before} became {tried.after}; {tried.outcome}", style)


def conclude(console: Console, mending: Mending) -> None:
    """What the trials came to."""
    name, before, _ = mending.before.score("")
    after = mending.after.score("")[1]
    if mending.kept:
        changed = f"{len(mending.kept)} change{'s' if len(mending.kept) > 1 else ''} kept"
        say(console, "trials", f"{changed}; {name} {before:.4g} to {after:.4g} in short trials on a part of the data")
    elif mending.before.findings:
        found = ", ".join(dict.fromkeys(f.fault for f in mending.before.findings))
        say(console, "trials", f"{name} {before:.4g}; found: {found}; no change of the recipe helped")
    else:
        say(console, "trials", f"{name} {before:.4g} in a short trial; nothing to heal was found")
    if mending.stopped:
        say(console, "", mending.stopped)


def say(console: Console, head: str, text: str, style: str = "bold") -> None:
    """A word at the left, and a text beside it that stays beside it when it is long."""
    grid = Table.grid()
    grid.add_column(width=HEADS, no_wrap=True)
    grid.add_column(overflow="fold")
    grid.add_row(Text(head, style=style), Text(text))
    console.print(grid)
