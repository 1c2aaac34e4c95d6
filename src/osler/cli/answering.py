"""The commands that show answers: evaluate, predict, data."""

import json
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from osler.structures.errors import RecipeError
from osler.structures.files import write_text


def _data_values(words: list[str]) -> dict[str, Any]:
    """`key=value` words of the recipe's data section, by the key's own name."""
    from osler.training.recipe_file import parse_overrides

    values = {}
    for key, entry in parse_overrides(words).items():
        section, _, name = key.partition(".")
        if section != "data":
            raise RecipeError(
                f"{entry.where}: only keys of data mean something here, such as data=photos or format=csv."
            )
        values[name] = entry.value
    return values


def show_evaluation(run: str, words: list[str], split: str, json_file: Path | None) -> None:
    """The metrics as a table, and as JSON where asked."""
    from osler.verbs.evaluate import evaluate

    values = _data_values(words)
    result = evaluate(run, data=values.pop("path", None), split=split, **values)
    title = Text(f"{result.data}, {result.split}: {result.samples:,} pictures")
    table = Table(title=title, title_justify="left")
    table.add_column("metric")
    table.add_column("value", justify="right")
    for name, value in result.metrics.items():
        table.add_row(name, f"{value:.4f}")
    Console(highlight=False).print(table)
    if json_file is not None:
        content = {"data": result.data, "split": result.split, "samples": result.samples, "metrics": result.metrics}
        write_text(json_file, json.dumps(content, indent=2) + "\n")


def show_predictions(run: str, pictures: list[str], out: Path | None, draw: Path | None) -> None:
    """The answers as a table; as a file and as pictures where asked."""
    from osler.verbs.predict import check_answers_file, predict

    if out is not None:
        check_answers_file(out)  # before the work, not after it
    answers = predict(run, *pictures)
    console = Console(highlight=False)
    rows = answers.rows()
    table = Table()
    names = list(dict.fromkeys(name for row in rows for name in row))
    for name in names:
        table.add_column("picture" if name == "path" else Text(name.replace("_", " ")), overflow="fold")
    for row in rows:
        table.add_row(*(Text(_objects(row[name]) if name == "objects" else _cell(row.get(name, ""))) for name in names))
    console.print(table)
    for skipped in answers.skipped:
        reason = skipped.reason if skipped.path in skipped.reason else f"{skipped.path}: {skipped.reason}"
        console.print(Text.assemble(("skipped ", "bold yellow"), reason), soft_wrap=True)
    if out is not None:
        console.print(Text(f"Written to {answers.save(out)}"), soft_wrap=True)
    if draw is not None:
        console.print(Text(f"Drawn: {len(answers.draw(draw))} pictures in {draw}"), soft_wrap=True)


def _objects(found: list[dict[str, Any]]) -> str:
    """A line an object: class, score, and the box's corners in pixels."""
    lines = [f"{o['class']} {o['score']:.2f} at {', '.join(f'{v:.0f}' for v in o['box'])}" for o in found]
    return "\n".join(lines) or "none"


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, dict):
        return ", ".join(f"{k} {_cell(v)}" for k, v in value.items())
    return ", ".join(map(_cell, value)) if isinstance(value, (list, tuple)) else str(value)


def show_data(path: str, words: list[str]) -> None:
    """Counts, sizes, statistics, and what is wrong."""
    from osler.cli.data_table import print_audit
    from osler.training.recipe_file import read_recipe
    from osler.verbs.data import describe_data

    _data_values(words)  # refuses what is not of the data
    section = read_recipe(None, words).recipe.data
    print_audit(describe_data(path, section=section), Console(highlight=False))


def show_conversion(source: str, dest: Path, to: str, words: list[str]) -> None:
    """What was written, and what the form has no place for."""
    from typing import get_args

    from osler.data.objects.converting import Form
    from osler.training.recipe_file import read_recipe
    from osler.verbs.convert_data import convert_data

    _data_values(words)
    if to not in get_args(Form):
        raise RecipeError(f"--to {to}: known are {', '.join(get_args(Form))}.")
    done = convert_data(source, dest, to=to, section=read_recipe(None, words).recipe.data)  # type: ignore[arg-type]
    console = Console(highlight=False)
    counts = ", ".join(f"{count:,} {part}" for part, count in done.pictures.items())
    console.print(
        Text(f"Written to {done.place} as {to}: pictures {counts}; {done.objects:,} objects."), soft_wrap=True
    )
    for sentence in done.lost:
        console.print(Text.assemble(("note ", "bold yellow"), sentence), soft_wrap=True)
    for skipped in done.skipped:
        console.print(Text.assemble(("skipped ", "bold yellow"), skipped.reason), soft_wrap=True)
