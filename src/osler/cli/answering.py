"""The commands that show answers: evaluate, predict, data."""

import json
from pathlib import Path

from rich.console import Console
from rich.table import Table

from osler.structures.errors import RecipeError
from osler.structures.files import write_text


def _values(words: list[str]) -> dict[str, str]:
    """`key=value` words of the data section, with or without its name before them."""
    values = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals:
            raise RecipeError(f"{word}: expected key=value, such as data=photos.")
        values[key.removeprefix("data.")] = value
    return values


def show_evaluation(run: str, words: list[str], split: str, json_file: Path | None) -> None:
    """The metrics as a table, and as JSON where asked."""
    from osler.verbs.evaluate import evaluate

    values = _values(words)
    path = values.pop("data", values.pop("path", None))
    result = evaluate(run, data=path, split=split, **values)
    table = Table(title=f"{result.data}, {result.split}: {result.samples:,} pictures", title_justify="left")
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
    from osler.verbs.predict import predict

    answers = predict(run, *pictures)
    console = Console(highlight=False)
    rows = answers.rows()
    table = Table()
    for name in rows[0]:
        table.add_column("picture" if name == "path" else name.replace("_", " "), overflow="fold")
    for row in rows:
        table.add_row(*(_cell(v) for v in row.values()))
    console.print(table)
    for skipped in answers.skipped:
        console.print(f"[bold yellow]skipped[/] {skipped.path}: {skipped.reason}", soft_wrap=True)
    if out is not None:
        console.print(f"Written to {answers.save(out)}", soft_wrap=True)
    if draw is not None:
        console.print(f"Drawn: {len(answers.draw(draw))} pictures in {draw}", soft_wrap=True)


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, dict):
        return ", ".join(f"{k} {_cell(v)}" for k, v in value.items())
    return ", ".join(map(_cell, value)) if isinstance(value, (list, tuple)) else str(value)


def show_data(path: str, words: list[str]) -> None:
    """Counts, sizes, statistics, and what is wrong."""
    from osler.cli.data_table import print_audit
    from osler.verbs.data import describe_data

    print_audit(describe_data(path, **_values(words)), Console(highlight=False))
